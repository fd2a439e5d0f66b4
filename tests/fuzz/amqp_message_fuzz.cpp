// A message as the broker may hand it over: a table of properties and headers, cut from the input.

#include <vector>

#include "common/messages.hpp"
#include "meshd/mesh/wire.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = fuzz::text(data, size);
  const auto cut = [&] {
    const auto end = rest.find('\n');
    const auto part = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return part;
  };
  amqp_basic_properties_t p{};
  p._flags = AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG;
  p.correlation_id = amqp::bytes(cut());
  std::vector<amqp_table_entry_t> entries;
  for (int i = 0; i < 8 && !rest.empty(); ++i) {
    amqp_table_entry_t entry{};
    entry.key = amqp::bytes(cut());
    const auto value = cut();
    // The kind follows from the value's first byte: most are strings, as they should be.
    entry.value.kind = value.starts_with('#') ? AMQP_FIELD_KIND_I64 : value.starts_with('!') ? AMQP_FIELD_KIND_VOID : AMQP_FIELD_KIND_UTF8;
    if (entry.value.kind == AMQP_FIELD_KIND_UTF8) entry.value.value.bytes = amqp::bytes(value);
    entries.push_back(entry);
  }
  p.headers = {static_cast<int>(entries.size()), entries.data()};
  mesh::Incoming message;
  const auto read = mesh::read_properties(mesh::received_properties(p), message);
  fuzz::must(read.has_value() || !read.error().what.empty(), "a refusal says why");
  if (read) (void)decode_call(rest, message.type);
  return 0;
}
