#pragma once
// Encryption for consumers who know nothing of it: their requests and commands are encrypted where the service's
// description requires it, and answers are opened on their way back. Stands on both sides of the transport:
//
//   to_outgoing() ──► add() ──► take_output() ──► ServiceMeshManager::publish()
//                      └─ waits for the service's description, which is asked for in the same stream
//   to_returned() ◄── open() ◄── take_events()
//
// Nothing depends on a table of requests: keys are derived from correlation ids (mesh/encryption.hpp), so answers to what
// meshd asked before it was restarted can be opened. A bounded one is kept all the same, to notice two things: a result
// in plain to an encrypted request, and a service that has another key by now. What is not in it is not noticed.
// Pure but for randomness; knows no ring, no broker and no clock. The ring loop's thread only.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "meshd/mesh/discovery.hpp"

namespace nuropb::meshd {

class RequestEncryption {
 public:
  static constexpr std::size_t max_awaited = 16'384;
  /// Not sent, and never will be.
  struct Refused {
    mesh::Outgoing message;
    mesh::ServiceError error;
  };

  explicit RequestEncryption(mesh::RequestKeys keys, mesh::Discovery::Settings settings = {});

  /// A request or command on its way out; it is taken from here now, or once its service has described itself.
  void add(mesh::Outgoing&& message, std::string_view method, SteadyTime now);
  /// What may be sent, behind what is in `send` already, and what never will be. Messages of one sender to one service keep
  /// their order.
  std::vector<Refused> take_output(std::vector<mesh::Outgoing>& send);

  /// True if the message was the answer to a question of our own: nobody else is waiting for it. Of anything else an
  /// encrypted body is opened in place; one that can't be opened becomes a response that says so.
  bool open(mesh::Incoming& message, SteadyTime now);
  /// The same for what became of a message that was sent, and for its body where the broker returned it.
  bool open(mesh::Report& report, SteadyTime now);

  /// What still waits for a description is refused: nobody will be here for the answer.
  void give_up(const std::string& why, SteadyTime now);

  /// Now and then: questions and requests that were not answered in time.
  void tick(SteadyTime now);

 private:
  struct Question {
    std::string service;
    SteadyTime deadline;
  };
  void ask(const std::string& service);
  void release(const mesh::Described& described, mesh::Outgoing&& message, std::string_view method);
  /// An encrypted request whose answer has not come yet.
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
  SteadyTime now_{};  // of the call that is going on
  mesh::Discovery discovery_;
};

}  // namespace nuropb::meshd
