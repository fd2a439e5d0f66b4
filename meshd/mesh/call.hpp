#pragma once
// A call or event as a handler receives it, and the ways in which a handler ends it.
//
// A handler succeeds by returning a value and fails by throwing CallError, CallAgain, or any other exception, which
// becomes NuropbException as in the Python peer. Events that a handler publishes through its call are held back until
// it has succeeded, and dropped if it fails.

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace nuropb::mesh {

/// An event to be published (nuropb-wire.md, "Bodies").
struct NewEvent {
  std::string topic;
  nlohmann::json payload;
  nlohmann::json target = nullptr;  ///< null, or an array of users that it is addressed to
};

/// A result together with events. Every JSON value converts to it, so a method usually just returns its result; the
/// equivalent of the Python peer's NuropbSuccess is `return Success(result, {{"topic", payload}})`.
struct Success {
  nlohmann::json result;
  std::vector<NewEvent> events;

  Success(nlohmann::json value, std::vector<NewEvent> with) : result(std::move(value)), events(std::move(with)) {}
  template <class T>
    requires(!std::is_same_v<std::remove_cvref_t<T>, Success> && std::is_constructible_v<nlohmann::json, T>)
  Success(T&& value) : result(std::forward<T>(value)) {}
};

/// The events of one call, held until its end is known. Any thread.
class KeptEvents {
 public:
  /// Returns false and drops the event if the call has already ended.
  bool add(NewEvent event);
  /// Ends the call and returns the held events.
  std::vector<NewEvent> close();

 private:
  std::mutex mutex_;
  std::vector<NewEvent> events_;  // guarded by mutex_
  bool closed_ = false;           // guarded by mutex_
};

struct Call {
  std::string method;
  nlohmann::json params;            ///< validated against the declaration, with defaults filled in
  nlohmann::json context;           ///< an object
  nlohmann::json claims = nullptr;  ///< the result of the method's `authorize`
  std::string correlation_id;
  std::string trace_id;
  bool is_command = false;  ///< no response is expected
  bool redelivered = false;
  bool encrypted = false;
  std::shared_ptr<KeptEvents> events{};
  std::string reply_to{};  ///< the caller's response queue, as named by the caller

  /// Publishes an event to the events exchange, with the call's context and trace id, once the method has succeeded; if
  /// it fails or asks to be called again, the event is dropped. The context of an encrypted call is not published: its
  /// events have an empty context. Returns false if the call has already ended.
  bool publish_event(std::string topic, nlohmann::json payload, nlohmann::json target = nullptr) const {
    return events && events->add({std::move(topic), std::move(payload), std::move(target)});
  }
};

struct Event {
  std::string topic;
  nlohmann::json payload;
  nlohmann::json target;   ///< null, or an array of users
  nlohmann::json context;  ///< an object
  std::string correlation_id;
  std::string trace_id;
  bool redelivered = false;
  std::shared_ptr<KeptEvents> events{};

  /// See Call::publish_event.
  bool publish_event(std::string event_topic, nlohmann::json event_payload,
                     nlohmann::json event_target = nullptr) const {
    return events && events->add({std::move(event_topic), std::move(event_payload), std::move(event_target)});
  }
};

/// Ends a call with an error of this name (common/error_names.hpp).
class CallError : public std::runtime_error {
 public:
  CallError(std::string_view name, const std::string& description) : std::runtime_error(description), name_(name) {}
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  std::string name_;
};

/// Requeues the message, to be tried once more later. For a redelivered message it ends the call with
/// NuropbCallAgainReject (nuropb-wire.md, "What a participant does with a message").
class CallAgain : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace nuropb::mesh
