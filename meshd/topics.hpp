#pragma once
// The topic patterns that one session is subscribed to. Most sessions have none, and pay a pointer for it.

#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace nuropb::meshd {

class Topics {
  using Set = std::set<std::string, std::less<>>;

 public:
  [[nodiscard]] Set::const_iterator begin() const { return all().begin(); }
  [[nodiscard]] Set::const_iterator end() const { return all().end(); }
  [[nodiscard]] std::size_t size() const { return all().size(); }
  [[nodiscard]] bool contains(std::string_view topic) const { return all().contains(topic); }
  void add(std::string_view topic) {
    if (!set_) set_ = std::make_unique<Set>();
    set_->emplace(topic);
  }
  /// False if it was not there.
  bool remove(std::string_view topic) {
    const auto found = set_ ? set_->find(topic) : Set::iterator();
    if (!set_ || found == set_->end()) return false;
    set_->erase(found);
    if (set_->empty()) set_.reset();
    return true;
  }
  void clear() { set_.reset(); }
  /// A copy, for a walk in which topics are removed.
  [[nodiscard]] Set copy() const { return all(); }

 private:
  [[nodiscard]] const Set& all() const {
    static const Set none;
    return set_ ? *set_ : none;
  }
  std::unique_ptr<Set> set_;
};

}  // namespace nuropb::meshd
