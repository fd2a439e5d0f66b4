#pragma once
// Transparent encryption for clients: their requests and commands are encrypted if the service's description requires
// it, and responses are decrypted. On both sides of the transport:
//
//   to_outgoing() ──► add() ──► take_output() ──► ServiceMeshManager::publish()
//                      └─ waits for the service's description, which is requested the same way
//   to_returned() ◄── open() ◄── take_events()
//
// Correctness does not depend on a table of requests: keys are derived from correlation ids (mesh/encryption.hpp), so
// responses to requests of an earlier meshd can be decrypted. A bounded table detects two things: a plain-text result
// of an encrypted request, and a service whose key has changed. They go undetected for requests that are not in it.
// Pure except for randomness; independent of rings, broker and clock. The ring loop's thread only.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "meshd/mesh/discovery.hpp"

namespace nuropb::meshd {

class RequestEncryption {
 public:
  static constexpr std::size_t max_awaited = 16'384;
  /// A message that was not sent and never will be.
  struct Refused {
    mesh::Outgoing message;
    mesh::ServiceError error;
  };

  explicit RequestEncryption(mesh::RequestKeys keys, mesh::Discovery::Settings settings = {});

  /// Adds an outgoing request or command; it becomes available to take_output() at once, or when its service's
  /// description has arrived.
  void add(mesh::Outgoing&& message, std::string_view method, SteadyTime now);
  /// Appends messages that may be sent to `send`, and returns those that never will be. Messages from one sender to one
  /// service keep their order.
  std::vector<Refused> take_output(std::vector<mesh::Outgoing>& send);

  /// Returns true if the message was the response to a request of our own, so that no one else waits for it. Otherwise
  /// an encrypted body is decrypted in place; if that fails it becomes an error response.
  bool open(mesh::Incoming& message, SteadyTime now);
  /// The same for the outcome of a sent message, and for its body if the broker returned it.
  bool open(mesh::Report& report, SteadyTime now);

  /// Refuses all messages that still wait for a description, because no one will be there for the response.
  void give_up(const std::string& why, SteadyTime now);

  /// To be called regularly: handles our own requests, and clients' requests, that were not answered in time.
  void tick(SteadyTime now);

 private:
  struct Question {
    std::string service;
    SteadyTime deadline;
  };
  void ask(const std::string& service);
  void release(const mesh::Described& described, mesh::Outgoing&& message, std::string_view method);
  /// An encrypted request without a response yet.
  struct Awaited {
    std::string service;
    SteadyTime deadline;
  };
  void judge_plain(mesh::Incoming& message, const std::string& service);
  void refuse(mesh::Incoming& message, const std::string& why) const;
  void answered(const std::string& correlation_id, SteadyTime now, const mesh::Answer& answer);

  mesh::RequestKeys keys_;
  std::unordered_map<std::string, Question> questions_;  // by correlation id
  std::unordered_map<std::string, Awaited> awaited_;     // by correlation id; at most max_awaited
  SteadyTime next_look_{};
  std::vector<mesh::Outgoing> send_;
  std::vector<Refused> refused_;
  SteadyTime now_{};  // time of the current call
  mesh::Discovery discovery_;
};

}  // namespace nuropb::meshd
