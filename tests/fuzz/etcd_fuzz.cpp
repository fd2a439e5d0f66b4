#include "meshd/etcd/wire.hpp"
#include "common/base64.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const etcd::Keys keys = etcd::Keys::of("/nuropb/gateway");
  const auto text = fuzz::text(data, size);
  if (const auto lease = etcd::read_grant(text))
    fuzz::must(lease->id != 0 && lease->ttl_s > 0 && lease->ttl_s <= 1'000'000'000,
               "a lease that was granted can be counted with");
  if (const auto lease = etcd::read_keep_alive(text))
    fuzz::must(lease->id != 0 && lease->ttl_s >= 0 && lease->ttl_s <= 1'000'000'000,
               "a lease that was kept can be counted with");
  if (const auto won = etcd::read_nomination(text, keys, "me", 5)) {
    fuzz::must(won->revision > 0 && won->revision < INT64_MAX, "there is a revision to watch from");
    const auto other = etcd::read_nomination(text, keys, "me", 6);
    fuzz::must(other.has_value(), "whose lease it is does not decide whether an answer can be read");
  }
  (void)etcd::read_publish(text);
  (void)etcd::read_watch_line(text, keys);
  if (const auto token = etcd::read_token(text)) fuzz::must(!token->empty(), "a token is not empty");
  const std::string refusal = etcd::refusal(text);
  fuzz::must(!refusal.empty() && refusal.size() <= 200, "a refusal has a text, and not a long one");
  for (const char c : refusal) fuzz::must(c >= 0x20 && c < 0x7f, "a refusal is printable");
  if (const auto bytes = base64::decode(text)) fuzz::must(base64::encode(*bytes) == text, "base64 has one form");
  fuzz::must(base64::decode(base64::encode(text)) == text, "base64 goes both ways");
  return 0;
}
