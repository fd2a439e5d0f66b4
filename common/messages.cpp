#include "common/messages.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/json/plain_ascii.hpp"

namespace nuropb {
namespace {

constexpr std::array<std::string_view, 4> type_names{"request", "response", "event", "command"};
constexpr std::array<MessageType, 4> types{MessageType::request, MessageType::response, MessageType::event,
                                           MessageType::command};

std::string_view or_else(std::string_view raw, std::string_view fallback) { return raw.empty() ? fallback : raw; }

/// The text before a member's value, built at compile time: ,"name":
template <std::size_t size>
struct Key {
  consteval Key(const char (&name)[size]) {
    text[0] = ',';
    text[1] = '"';
    std::copy_n(name, size - 1, text + 2);
    text[size + 1] = '"';
    text[size + 2] = ':';
  }
  char text[size + 3]{};
};

/// Writes members in sequence, so that the encoders below read like the message. Messages consist of many small pieces,
/// so the pieces are copied into a buffer of sufficient size: std::string::append costs more than most of them are
/// long.
class ObjectWriter {
 public:
  /// `expected` is an estimate of the values' bytes; more is allowed.
  explicit ObjectWriter(std::size_t expected) : out_(expected + 256, '\0') {}

  template <Key key>
  ObjectWriter& text(std::string_view value) {
    put_key<key>(value.size() + 2);
    if (json::plain_ascii(value) == value.size()) {
      out_[at_++] = '"';
      put(value);
      out_[at_++] = '"';
      return *this;
    }
    const std::string quoted = json::quoted(value);
    make_room(quoted.size());
    put(quoted);
    return *this;
  }
  template <Key key>
  ObjectWriter& raw(std::string_view value, std::string_view fallback = "null") {
    const std::string_view written = or_else(value, fallback);
    put_key<key>(written.size());
    put(written);
    return *this;
  }
  std::string done() {
    out_.front() = '{';  // overwrites the first member's comma
    out_[at_++] = '}';
    out_.resize(at_);
    return std::move(out_);
  }

 private:
  template <Key key>
  void put_key(std::size_t value) {
    make_room(sizeof key.text + value);
    std::memcpy(out_.data() + at_, key.text, sizeof key.text);
    at_ += sizeof key.text;
  }
  void put(std::string_view piece) { at_ += piece.copy(out_.data() + at_, piece.size()); }
  void make_room(std::size_t size) {
    if (out_.size() - at_ <= size) out_.resize(2 * out_.size() + size);  // one byte is for the last brace
  }

  std::string out_;
  std::size_t at_ = 0;  // bytes beyond it are not written yet
};

/// Reads the members of a received body and keeps the first error.
template <class Body>
class ObjectReader {
 public:
  ObjectReader(std::string_view text, std::span<json::Field> fields, json::Limits limits) {
    json::Slice root;
    if (const auto problem = json::scan(text, fields, &root, limits))
      error_ = Error{problem->text(), "message body", {}};
    else if (root.kind != json::Kind::object) error_ = Error{"not a JSON object", "message body", {}};
  }
  void tag(const json::Field& field, std::string_view expected) {
    if (error_) return;
    if (field.value.present() && field.value.kind == json::Kind::string && json::plain(field.value) == expected) return;
    if (!field.value.present()) return;  // the nuropb_type header has the type
    wrong(field, "is not \"" + std::string(expected) + "\"");
  }
  std::string_view text(const json::Field& field, bool required) {
    if (error_) return {};
    if (field.value.kind == json::Kind::string) {
      if (json::is_plain(field.value)) return json::plain(field.value);
      return body.unescaped.emplace_front(json::unescape(field.value));
    }
    if (required || (field.value.present() && field.value.kind != json::Kind::null))
      wrong(field, field.value.present() ? "is not a string" : "is missing");
    return {};
  }
  std::string_view raw(const json::Field& field, std::string_view fallback = "null") {
    return field.value.present() ? field.value.text : fallback;
  }
  std::string_view object(const json::Field& field, std::string_view fallback) {
    if (error_ || !field.value.present() || field.value.kind == json::Kind::null) return fallback;
    if (field.value.kind != json::Kind::object) wrong(field, "is not an object");
    return field.value.text;
  }
  void wrong(const json::Field& field, const std::string& how) {
    if (!error_) error_ = Error{"member '" + std::string(field.name) + "' " + how, "message body", {}};
  }
  Result<Decoded<Body>> done() {
    if (error_) return tl::unexpected<Error>(std::move(*error_));
    return std::move(body);
  }

  Decoded<Body> body;

 private:
  std::optional<Error> error_;
};

}  // namespace

std::string_view to_text(MessageType type) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] == type) return type_names[i];
  }
  return "unknown";
}

std::optional<MessageType> message_type(std::string_view text) {
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (type_names[i] == text) return types[i];
  }
  return {};
}

std::string encode_call(MessageType type, const CallBody& body) {
  return ObjectWriter(body.params.size() + body.context.size() + body.trace_id.size())
      .text<"tag">(to_text(type))
      .text<"service">(body.service)
      .text<"method">(body.method)
      .raw<"params">(body.params, "{}")
      .text<"correlation_id">(body.correlation_id)
      .raw<"context">(body.context, "{}")
      .raw<"trace_id">(body.trace_id)
      .done();
}

std::string encode_event(const EventBody& body) {
  return ObjectWriter(body.event.size() + body.context.size() + body.target.size())
      .text<"tag">("event")
      .text<"topic">(body.topic)
      .raw<"event">(body.event)
      .raw<"context">(body.context, "{}")
      .raw<"trace_id">(body.trace_id)
      .text<"correlation_id">(body.correlation_id)
      .raw<"target">(body.target)
      .done();
}

std::string encode_response(const ResponseBody& body) {
  return ObjectWriter(body.result.size() + body.error.size() + body.context.size())
      .text<"tag">("response")
      .raw<"result">(body.result)
      .raw<"error">(body.error)
      .text<"correlation_id">(body.correlation_id)
      .raw<"trace_id">(body.trace_id)
      .raw<"context">(body.context, "{}")
      .raw<"warning">(body.warning)
      .text<"reply_to">(body.reply_to)
      .done();
}

Result<Decoded<CallBody>> decode_call(std::string_view text, MessageType type, json::Limits limits) {
  std::array<json::Field, 7> f{
      {{"tag"}, {"service"}, {"method"}, {"params"}, {"correlation_id"}, {"context"}, {"trace_id"}}};
  ObjectReader<CallBody> in(text, f, limits);
  in.tag(f[0], to_text(type));
  in.body.service = in.text(f[1], true);
  in.body.method = in.text(f[2], true);
  in.body.params = in.object(f[3], "{}");
  in.body.correlation_id = in.text(f[4], false);
  in.body.context = in.object(f[5], "{}");
  in.body.trace_id = in.raw(f[6]);
  return in.done();
}

Result<Decoded<EventBody>> decode_event(std::string_view text, json::Limits limits) {
  std::array<json::Field, 7> f{
      {{"tag"}, {"topic"}, {"event"}, {"context"}, {"trace_id"}, {"correlation_id"}, {"target"}}};
  ObjectReader<EventBody> in(text, f, limits);
  in.tag(f[0], "event");
  in.body.topic = in.text(f[1], true);
  in.body.event = in.raw(f[2]);
  in.body.context = in.object(f[3], "{}");
  in.body.trace_id = in.raw(f[4]);
  in.body.correlation_id = in.text(f[5], false);
  in.body.target = in.raw(f[6]);
  if (f[6].value.present() && f[6].value.kind != json::Kind::null && f[6].value.kind != json::Kind::array)
    in.wrong(f[6], "is neither null nor an array");
  return in.done();
}

Result<Decoded<ResponseBody>> decode_response(std::string_view text, json::Limits limits) {
  std::array<json::Field, 8> f{
      {{"tag"}, {"result"}, {"error"}, {"correlation_id"}, {"trace_id"}, {"context"}, {"warning"}, {"reply_to"}}};
  ObjectReader<ResponseBody> in(text, f, limits);
  in.tag(f[0], "response");
  in.body.result = in.raw(f[1]);
  in.body.error = in.object(f[2], "null");
  in.body.correlation_id = in.text(f[3], false);
  in.body.trace_id = in.raw(f[4]);
  in.body.context = in.object(f[5], "{}");
  in.body.warning = in.raw(f[6]);
  in.body.reply_to = in.text(f[7], false);
  return in.done();
}

std::string error_json(std::string_view name, std::string_view description) {
  return ObjectWriter(description.size()).text<"error">(name).text<"description">(description).done();
}

std::string over_limit_json(std::string_view description) {
  return ObjectWriter(description.size())
      .text<"error">("NuropbTransportError")
      .text<"description">(description)
      .text<"reason">("limit")
      .done();
}

std::string unknown_outcome_json(std::string_view description, std::string_view name) {
  return ObjectWriter(description.size())
      .text<"error">(name)
      .text<"description">(description)
      .text<"outcome">("unknown")
      .done();
}

}  // namespace nuropb
