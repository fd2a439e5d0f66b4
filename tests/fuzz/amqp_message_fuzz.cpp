// A message as the broker may deliver it: a table of properties and headers, cut from the input; and its frames in any
// order and number, with any sizes.

#include <vector>

#include "common/messages.hpp"
#include "meshd/mesh/assembler.hpp"
#include "meshd/mesh/wire.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

/// Each byte of the script is a frame; the result is never larger than allowed, and was announced.
void assemble(std::string_view script, std::string_view text, const amqp_basic_properties_t& properties) {
  constexpr std::size_t largest = 64;
  mesh::Assembler assembler(largest);
  amqp_basic_deliver_t deliver{};
  deliver.routing_key = amqp::bytes(text);
  amqp_basic_return_t returned{};
  returned.reply_text = amqp::bytes(text);
  for (const char c : script) {
    const auto byte = static_cast<unsigned char>(c);
    amqp_frame_t frame{};
    frame.channel = 1;
    switch (byte % 6) {
      case 0:
        frame.frame_type = AMQP_FRAME_METHOD;
        frame.payload.method = {AMQP_BASIC_DELIVER_METHOD, &deliver};
        break;
      case 1:
        frame.frame_type = AMQP_FRAME_METHOD;
        frame.payload.method = {AMQP_BASIC_RETURN_METHOD, &returned};
        break;
      case 2:
        frame.frame_type = AMQP_FRAME_HEADER;
        // Mostly small, sometimes larger than allowed.
        frame.payload.properties.body_size = byte > 250 ? UINT64_MAX : byte / 2U;
        frame.payload.properties.decoded = const_cast<amqp_basic_properties_t*>(&properties);
        break;
      case 3:
      case 4:
        frame.frame_type = AMQP_FRAME_BODY;
        frame.payload.body_fragment = amqp::bytes(text.substr(0, byte / 6U));
        break;
      default: frame.frame_type = AMQP_FRAME_HEARTBEAT;
    }
    const auto message = assembler.take(frame);
    if (!message) continue;
    fuzz::must(message->too_large ? message->body.empty() : message->body.size() <= largest,
               "a body stays within its bound");
  }
}

}  // namespace

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
    // The kind is determined by the value's first byte: most are valid strings.
    entry.value.kind = value.starts_with('#')   ? AMQP_FIELD_KIND_I64
                       : value.starts_with('!') ? AMQP_FIELD_KIND_VOID
                                                : AMQP_FIELD_KIND_UTF8;
    if (entry.value.kind == AMQP_FIELD_KIND_UTF8) entry.value.value.bytes = amqp::bytes(value);
    entries.push_back(entry);
  }
  p.headers = {static_cast<int>(entries.size()), entries.data()};
  assemble(rest.substr(0, 64), rest, p);
  mesh::Incoming message;
  const auto read = mesh::read_properties(mesh::received_properties(p), message);
  fuzz::must(read.has_value() || !read.error().what.empty(), "a refusal says why");
  if (read) (void)decode_call(rest, message.type);
  return 0;
}
