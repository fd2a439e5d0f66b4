#pragma once
// The topic patterns that one session is subscribed to, which count for its user. Most sessions have none, which costs
// a pointer.

#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "meshd/user_patterns.hpp"

namespace nuropb::meshd {

class Topics {
  using Set = std::set<std::string, std::less<>>;

 public:
  [[nodiscard]] Set::const_iterator begin() const { return all().begin(); }
  [[nodiscard]] Set::const_iterator end() const { return all().end(); }
  [[nodiscard]] std::size_t size() const { return all().size(); }
  [[nodiscard]] bool contains(std::string_view topic) const { return all().contains(topic); }
  /// `patterns` must outlive this object.
  void add(std::string_view topic, UserPatterns& patterns, std::string_view user) {
    if (!held_) held_ = std::make_unique<Held>(patterns, user);
    if (held_->topics.emplace(topic).second) held_->patterns.add(held_->user, topic);
  }
  /// Returns false if the topic was not present.
  bool remove(std::string_view topic) {
    const auto found = held_ ? held_->topics.find(topic) : Set::iterator();
    if (!held_ || found == held_->topics.end()) return false;
    held_->patterns.remove(held_->user, topic);
    held_->topics.erase(found);
    if (held_->topics.empty()) held_.reset();
    return true;
  }
  void clear() { held_.reset(); }
  /// A copy, for a loop in which topics are removed.
  [[nodiscard]] Set copy() const { return all(); }

 private:
  [[nodiscard]] const Set& all() const {
    static const Set none;
    return held_ ? held_->topics : none;
  }
  struct Held {
    Held(UserPatterns& of, std::string_view by) : patterns(of), user(by) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      for (const std::string& topic : topics) patterns.remove(user, topic);
    }
    UserPatterns& patterns;
    std::string user;
    Set topics;
  };
  std::unique_ptr<Held> held_;
};

}  // namespace nuropb::meshd
