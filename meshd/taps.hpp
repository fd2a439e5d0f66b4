#pragma once
// Lets operators watch the requests and responses of one user or session (nuropb-ctl tap; admin.tap). They see names
// and shapes: of every value only its type and size. While no operator watches it costs one branch per message.
//
// A response is only shown for a request that was shown, because a session's slot may have another owner by then.
// Bounded: readers, pending requests, the size of each line. Owner thread: the ring loop.

#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "common/clock.hpp"
#include "common/ids.hpp"

namespace nuropb::meshd {

/// The keys of a raw JSON text, and the types of its values: {"a": "number", "b": "text of 12 bytes"}. Any bytes.
nlohmann::json shape_of(std::string_view raw);

class Taps {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    /// Writes one line; a slow reader counts the lines that it drops.
    virtual void write(std::string_view line) = 0;
    [[nodiscard]] virtual bool gone() const = 0;
  };
  /// Exactly one of the two is set.
  struct Filter {
    std::string user;
    std::optional<SessionId> session;
  };
  struct Who {
    SessionId session;
    std::string_view user;
  };
  static constexpr std::size_t most_readers = 4, most_questions = 4096;

  /// Returns false if the maximum number of readers is reached.
  bool add(Filter filter, std::shared_ptr<Reader> reader);
  [[nodiscard]] bool watching() const { return !taps_.empty(); }
  [[nodiscard]] bool wants(const Who& who) const;
  /// Removes taps whose readers have left, and returns their number.
  std::size_t forget_gone();

  /// Shows a message from or to a session: `line` is an object, to which common members are added.
  void tell(const Who& who, std::string_view direction, std::string_view what, nlohmann::json line);
  /// The same for a request that will be answered.
  void asked(const Who& who, const ReturnAddress& from, std::string_view what, nlohmann::json line, SteadyTime now);
  void answered(const ReturnAddress& to, std::string_view result, std::string_view error, SteadyTime now);

 private:
  struct Tap {
    Filter filter;
    std::shared_ptr<Reader> reader;
  };
  struct Question {
    SessionId session;
    std::string user, what;
    SteadyTime asked{};
  };
  using Key = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint64_t>;
  static Key key(const ReturnAddress& address) {
    return {address.slot, address.generation, address.session, address.sequence};
  }
  std::vector<Tap> taps_;
  std::map<Key, Question> questions_;
  std::deque<Key> in_order_;  // of questions_; the oldest is evicted
};

}  // namespace nuropb::meshd
