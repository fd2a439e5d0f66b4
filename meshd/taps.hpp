#pragma once
// Operators who watch what one user, or one session, asks and is answered (nuropb-ctl tap; admin.tap). They see names and
// shapes: of every value only its type and size, whatever it is. Where nobody watches, it costs one branch a message.
//
// An answer is shown only for a question that was shown: a session's slot may have another owner by then. Bounded:
// readers, questions that wait, the size of each line. Owner thread: the ring loop.

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
    /// One line; where the reader is slow, it counts what it leaves out.
    virtual void write(std::string_view line) = 0;
    [[nodiscard]] virtual bool gone() const = 0;
  };
  /// Of one of the two.
  struct Filter {
    std::string user;
    std::optional<SessionId> session;
  };
  struct Who {
    SessionId session;
    std::string_view user;
  };
  static constexpr std::size_t most_readers = 4, most_questions = 4096;

  /// False: there are as many as may be.
  bool add(Filter filter, std::shared_ptr<Reader> reader);
  [[nodiscard]] bool watching() const { return !taps_.empty(); }
  [[nodiscard]] bool wants(const Who& who) const;
  /// How many have left since it was last asked.
  std::size_t forget_gone();

  /// What the session says or is told: `line` is an object, and gets what is common to all.
  void tell(const Who& who, std::string_view direction, std::string_view what, nlohmann::json line);
  /// The same for what will be answered.
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
  std::deque<Key> in_order_;  // of questions_; the oldest gives way
};

}  // namespace nuropb::meshd
