#include "common/topic.hpp"

#include <algorithm>

namespace nuropb {
namespace {

using Words = std::vector<std::string_view>;

constexpr std::string_view star = "*", hash = "#";

Words split(std::string_view topic) {
  Words out;
  if (topic.empty()) return out;  // RabbitMQ counts no word in an empty topic
  for (std::size_t begin = 0;;) {
    const std::size_t dot = topic.find('.', begin);
    out.push_back(topic.substr(begin, dot == std::string_view::npos ? dot : dot - begin));
    if (dot == std::string_view::npos) return out;
    begin = dot + 1;
  }
}

/// "#.*.#" and "*.#" match the same topics: within a run of wildcards, the stars come first and then one hash.
Words canonical(std::string_view pattern) {
  Words out;
  bool any = false;
  const auto end_of_run = [&] {
    if (any) out.push_back(hash);
    any = false;
  };
  for (const auto word : split(pattern)) {
    if (word == hash) {
      any = true;
    } else {
      if (word != star) end_of_run();
      out.push_back(word);
    }
  }
  end_of_run();
  return out;
}

/// A table over the suffixes of two patterns, filled from their ends; `judge(i, j, at)` may read later entries.
template <class Judge>
bool over_suffixes(const Words& a, const Words& b, Judge&& judge) {
  const std::size_t width = b.size() + 1;
  std::vector<char> table((a.size() + 1) * width, 0);
  const auto at = [&](std::size_t i, std::size_t j) { return table[i * width + j] != 0; };
  for (std::size_t i = a.size() + 1; i-- > 0;) {
    for (std::size_t j = b.size() + 1; j-- > 0;) table[i * width + j] = judge(i, j, at) ? 1 : 0;
  }
  return at(0, 0);
}

}  // namespace

std::string canonical_pattern(std::string_view pattern) {
  std::string out;
  out.reserve(pattern.size());
  const Words words = canonical(pattern);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += '.';
    out += words[i];
  }
  return out;
}

std::optional<std::string> pattern_problem(std::string_view pattern) {
  if (pattern.size() > max_topic) return "is longer than " + std::to_string(max_topic) + " bytes";
  const Words words = split(pattern);
  if (std::count(words.begin(), words.end(), hash) > static_cast<std::ptrdiff_t>(max_pattern_hashes))
    return "has more than " + std::to_string(max_pattern_hashes) + " '#'";
  if (words.size() > max_pattern_words) return "has more than " + std::to_string(max_pattern_words) + " words";
  return {};
}

std::optional<std::string> topic_problem(std::string_view topic) {
  if (topic.size() > max_topic) return "is longer than " + std::to_string(max_topic) + " bytes";
  if (static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '.')) >= max_topic_words)
    return "has more than " + std::to_string(max_topic_words) + " words";
  return {};
}

bool topic_covers(std::string_view allowed, std::string_view pattern) {
  const Words a = canonical(allowed), p = canonical(pattern);
  return over_suffixes(a, p, [&](std::size_t i, std::size_t j, const auto& at) {
    if (i == a.size()) return j == p.size();
    if (a[i] == hash) return at(i + 1, j) || (j < p.size() && at(i, j + 1));
    if (j == p.size() || p[j] == hash) return false;
    return (a[i] == star || a[i] == p[j]) && at(i + 1, j + 1);
  });
}

bool topics_overlap(std::string_view one, std::string_view other) {
  const Words a = canonical(one), b = canonical(other);
  return over_suffixes(a, b, [&](std::size_t i, std::size_t j, const auto& at) {
    if (i < a.size() && a[i] == hash) return at(i + 1, j) || (j < b.size() && at(i, j + 1));
    if (j < b.size() && b[j] == hash) return at(i, j + 1) || (i < a.size() && at(i + 1, j));
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    return (a[i] == star || b[j] == star || a[i] == b[j]) && at(i + 1, j + 1);
  });
}

struct TopicIndex::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> words;
  std::unique_ptr<Node> any_word, any_words;
  std::vector<Id> ids;   // ids whose patterns end here, ascending
  bool repeats = false;  // the node is a `#`: it also matches the next word
  mutable std::uint64_t visit = 0;

  std::unique_ptr<Node>& child(std::string_view word) {
    if (word == star) return any_word;
    if (word == hash) return any_words;
    return words.try_emplace(std::string(word)).first->second;
  }
  [[nodiscard]] bool bare() const { return words.empty() && !any_word && !any_words && ids.empty(); }
};

TopicIndex::TopicIndex() : root_(std::make_unique<Node>()) {}
TopicIndex::~TopicIndex() = default;

bool TopicIndex::empty() const { return root_->bare(); }

bool TopicIndex::add(std::string_view pattern, Id id) {
  Node* node = root_.get();
  for (const auto word : split(pattern)) {
    auto& child = node->child(word);
    if (!child) child = std::make_unique<Node>();
    child->repeats = word == hash;
    node = child.get();
  }
  const auto place = std::lower_bound(node->ids.begin(), node->ids.end(), id);
  if (place != node->ids.end() && *place == id) return false;
  node->ids.insert(place, id);
  return true;
}

bool TopicIndex::remove(std::string_view pattern, Id id) {
  const Words words = split(pattern);
  std::vector<Node*> path{root_.get()};
  for (const auto word : words) {
    Node* const node = path.back();
    Node* next = nullptr;
    if (word == star) next = node->any_word.get();
    else if (word == hash) next = node->any_words.get();
    else if (const auto found = node->words.find(word); found != node->words.end()) next = found->second.get();
    if (!next) return false;
    path.push_back(next);
  }
  auto& ids = path.back()->ids;
  const auto place = std::lower_bound(ids.begin(), ids.end(), id);
  if (place == ids.end() || *place != id) return false;
  ids.erase(place);
  // Removes the nodes that no pattern uses any more, from the end.
  for (std::size_t i = words.size(); i > 0 && path[i]->bare(); --i) {
    Node* const parent = path[i - 1];
    if (words[i - 1] == star) parent->any_word.reset();
    else if (words[i - 1] == hash) parent->any_words.reset();
    else parent->words.erase(parent->words.find(words[i - 1]));
  }
  return true;
}

void TopicIndex::match(std::string_view topic, std::vector<Id>& out) const {
  // All nodes that the words so far may have led to, each once: the pattern tree is run as an automaton.
  out.clear();
  active_.clear();
  const auto reach = [this](std::vector<const Node*>& places, const Node* node) {
    for (; node && node->visit != visit_; node = node->any_words.get()) {  // a `#` may match no word at all
      node->visit = visit_;
      places.push_back(node);
    }
  };
  ++visit_;
  reach(active_, root_.get());
  for (const auto word : split(topic)) {
    ++visit_;
    next_.clear();
    for (const Node* node : active_) {
      if (node->repeats) reach(next_, node);
      reach(next_, node->any_word.get());
      if (const auto found = node->words.find(word); found != node->words.end()) reach(next_, found->second.get());
    }
    active_.swap(next_);
  }
  for (const Node* node : active_) out.insert(out.end(), node->ids.begin(), node->ids.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

}  // namespace nuropb
