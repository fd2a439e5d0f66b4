#include "meshd/user_pending.hpp"

#include <iterator>

namespace nuropb::meshd {

bool UserPending::take(std::string_view user, const ReturnAddress& from, const Message& message) {
  if (limits_.messages == 0 && limits_.bytes == 0) return true;
  const Key key = key_of(from);
  const auto place = messages_.lower_bound(key);
  // An edge that reuses a record number gains nothing.
  if (place != messages_.end() && place->first == key) return true;
  auto found = users_.find(user);
  if (found == users_.end()) found = users_.try_emplace(std::string(user)).first;
  User& own = found->second;
  if ((limits_.messages > 0 && own.messages >= limits_.messages) ||
      (limits_.bytes > 0 && own.messages > 0 && own.bytes + message.bytes > limits_.bytes))
    return false;
  messages_.emplace_hint(place, key, Entry{found, message});
  ++own.messages;
  own.bytes += message.bytes;
  return true;
}

UserPending::Messages::iterator UserPending::forget(Messages::iterator place) {
  const auto user = place->second.user;
  user->second.bytes -= place->second.message.bytes;
  if (--user->second.messages == 0) users_.erase(user);
  return messages_.erase(place);
}

void UserPending::answered(const ReturnAddress& from) {
  const auto found = messages_.find(key_of(from));
  if (found != messages_.end() && found->second.message.answered) forget(found);
}

void UserPending::not_sent(const ReturnAddress& from) {
  const auto found = messages_.find(key_of(from));
  if (found != messages_.end()) forget(found);
}

void UserPending::sweep(SteadyTime now) {
  auto place = messages_.upper_bound(swept_);
  for (int i = 0; i < swept_at_once && place != messages_.end(); ++i) {
    swept_ = place->first;
    place = place->second.message.until <= now ? forget(place) : std::next(place);
  }
  if (place == messages_.end()) swept_ = {};
}

}  // namespace nuropb::meshd
