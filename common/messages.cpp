#include "common/messages.hpp"

#include <array>

namespace nuropb {
namespace {

constexpr std::array<std::string_view, 4> type_names{"request", "response", "event", "command"};
constexpr std::array<MessageType, 4> types{MessageType::request, MessageType::response, MessageType::event,
                                           MessageType::command};

std::string_view or_else(std::string_view raw, std::string_view fallback) { return raw.empty() ? fallback : raw; }

/// Writes members one after the other: the encoders below read like the message.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::size_t expected) { out_.reserve(expected + 256); }
  ObjectWriter& text(std::string_view name, std::string_view value) {
    key(name);
    json::append_quoted(out_, value);
    return *this;
  }
  ObjectWriter& raw(std::string_view name, std::string_view value, std::string_view fallback = "null") {
    key(name);
    out_ += or_else(value, fallback);
    return *this;
  }
  std::string done() {
    out_ += '}';
    return std::move(out_);
  }

 private:
  void key(std::string_view name) {
    out_ += out_.empty() ? "{\"" : ",\"";
    out_ += name;
    out_ += "\":";
  }
  std::string out_;
};

/// Reads the members of a body that a peer wrote; the first thing wrong is kept.
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
    if (!field.value.present()) return;  // the header nuropb_type has said it
    wrong(field, "is not \"" + std::string(expected) + "\"");
  }
  std::string text(const json::Field& field, bool required) {
    if (error_) return {};
    if (field.value.kind == json::Kind::string) return json::unescape(field.value);
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
  template <class Body>
  Result<Body> done(Body&& body) {
    if (error_) return tl::unexpected<Error>(std::move(*error_));
    return std::forward<Body>(body);
  }

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
      .text("tag", to_text(type))
      .text("service", body.service)
      .text("method", body.method)
      .raw("params", body.params, "{}")
      .text("correlation_id", body.correlation_id)
      .raw("context", body.context, "{}")
      .raw("trace_id", body.trace_id)
      .done();
}

std::string encode_event(const EventBody& body) {
  return ObjectWriter(body.event.size() + body.context.size() + body.target.size())
      .text("tag", "event")
      .text("topic", body.topic)
      .raw("event", body.event)
      .raw("context", body.context, "{}")
      .raw("trace_id", body.trace_id)
      .text("correlation_id", body.correlation_id)
      .raw("target", body.target)
      .done();
}

std::string encode_response(const ResponseBody& body) {
  return ObjectWriter(body.result.size() + body.error.size() + body.context.size())
      .text("tag", "response")
      .raw("result", body.result)
      .raw("error", body.error)
      .text("correlation_id", body.correlation_id)
      .raw("trace_id", body.trace_id)
      .raw("context", body.context, "{}")
      .raw("warning", body.warning)
      .text("reply_to", body.reply_to)
      .done();
}

Result<CallBody> decode_call(std::string_view text, MessageType type, json::Limits limits) {
  std::array<json::Field, 7> f{
      {{"tag"}, {"service"}, {"method"}, {"params"}, {"correlation_id"}, {"context"}, {"trace_id"}}};
  ObjectReader in(text, f, limits);
  in.tag(f[0], to_text(type));
  CallBody body;
  body.service = in.text(f[1], true);
  body.method = in.text(f[2], true);
  body.params = in.object(f[3], "{}");
  body.correlation_id = in.text(f[4], false);
  body.context = in.object(f[5], "{}");
  body.trace_id = in.raw(f[6]);
  return in.done(std::move(body));
}

Result<EventBody> decode_event(std::string_view text, json::Limits limits) {
  std::array<json::Field, 7> f{
      {{"tag"}, {"topic"}, {"event"}, {"context"}, {"trace_id"}, {"correlation_id"}, {"target"}}};
  ObjectReader in(text, f, limits);
  in.tag(f[0], "event");
  EventBody body;
  body.topic = in.text(f[1], true);
  body.event = in.raw(f[2]);
  body.context = in.object(f[3], "{}");
  body.trace_id = in.raw(f[4]);
  body.correlation_id = in.text(f[5], false);
  body.target = in.raw(f[6]);
  if (f[6].value.present() && f[6].value.kind != json::Kind::null && f[6].value.kind != json::Kind::array)
    in.wrong(f[6], "is neither null nor an array");
  return in.done(std::move(body));
}

Result<ResponseBody> decode_response(std::string_view text, json::Limits limits) {
  std::array<json::Field, 8> f{
      {{"tag"}, {"result"}, {"error"}, {"correlation_id"}, {"trace_id"}, {"context"}, {"warning"}, {"reply_to"}}};
  ObjectReader in(text, f, limits);
  in.tag(f[0], "response");
  ResponseBody body;
  body.result = in.raw(f[1]);
  body.error = in.object(f[2], "null");
  body.correlation_id = in.text(f[3], false);
  body.trace_id = in.raw(f[4]);
  body.context = in.object(f[5], "{}");
  body.warning = in.raw(f[6]);
  body.reply_to = in.text(f[7], false);
  return in.done(std::move(body));
}

std::string error_json(std::string_view name, std::string_view description) {
  return ObjectWriter(description.size()).text("error", name).text("description", description).done();
}

std::string unknown_outcome_json(std::string_view description) {
  return ObjectWriter(description.size())
      .text("error", "NuropbTransportError")
      .text("description", description)
      .text("outcome", "unknown")
      .done();
}

}  // namespace nuropb
