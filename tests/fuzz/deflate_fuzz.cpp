#include "edge/transport/deflate.hpp"

#include <algorithm>

#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;
using namespace nuropb::edge;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr std::size_t limit = 20'000;
  Deflate deflate({9 + data[0] % 7, (data[0] & 0x80) != 0, limit});
  (void)deflate.negotiate({{"client_max_window_bits", ""}});
  const std::size_t step = 1 + data[1];
  for (int message = 0; message < 2; ++message) {
    std::string out;
    auto outcome = Deflate::Outcome::ok;
    for (std::size_t at = 2; at < size && outcome == Deflate::Outcome::ok; at += step)
      outcome = deflate.unfold(data + at, std::min(step, size - at), out);
    fuzz::must(out.size() <= limit, "nothing unfolds beyond the limit");
    if (outcome != Deflate::Outcome::ok) return 0;
    const std::uint8_t trailer[] = {0, 0, 0xff, 0xff};
    if (deflate.unfold(trailer, sizeof trailer, out) != Deflate::Outcome::ok ||
        deflate.message_ended() != Deflate::Outcome::ok)
      return 0;
  }
  // What we compress ourselves decompresses to the same text.
  const auto text = fuzz::text(data, size);
  Deflate there({9 + data[0] % 7, false, size});
  (void)there.negotiate({});
  std::string wire, back;
  fuzz::must(there.fold(text, wire) == Deflate::Outcome::ok, "anything folds");
  fuzz::must(
      there.unfold(reinterpret_cast<const std::uint8_t*>(wire.data()), wire.size(), back) == Deflate::Outcome::ok,
      "and unfolds");
  fuzz::must(there.message_ended() == Deflate::Outcome::ok && back == text, "to what it was");
  return 0;
}
