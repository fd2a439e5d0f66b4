// Lists of sessions, page by page over all gateways.
//
// A cursor is "<place>@<gateway>": the last session that was returned, as "<worker slot>.<generation>.<session slot>",
// and its gateway; an empty place means the beginning of that gateway. Gateways are ordered by their ids.

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "common/json/scan.hpp"
#include "meshd/pushes_operation.hpp"

namespace nuropb::meshd {
namespace {

using nlohmann::json;

// Maximum bytes of a page from one gateway to another.
constexpr std::size_t page_bytes = 256 * 1024;

struct PlaceInList {
  WorkerId worker;
  std::uint32_t slot = 0;
  auto operator<=>(const PlaceInList&) const = default;
};

std::optional<PlaceInList> read_place(std::string_view text) {
  PlaceInList out;
  std::uint32_t* const parts[] = {&out.worker.slot, &out.worker.generation, &out.slot};
  for (std::uint32_t* const part : parts) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *part);
    if (error != std::errc()) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (part == parts[2]) return text.empty() ? std::optional(out) : std::nullopt;
    if (!text.starts_with('.')) return {};
    text.remove_prefix(1);
  }
  return {};
}

std::string text_of(const PlaceInList& place) {
  return std::to_string(place.worker.slot) + "." + std::to_string(place.worker.generation) + "." +
         std::to_string(place.slot);
}

}  // namespace

Result<void> Pushes::list(std::string_view cursor, std::size_t limit, const std::optional<std::string>& user_id,
                          std::function<void(Result<SessionPage>)> done) {
  auto paging = std::make_shared<Paging>();
  if (const auto at = cursor.find('@'); at != std::string_view::npos) {
    paging->after = cursor.substr(0, at);
    paging->gateway = cursor.substr(at + 1);
  }
  const bool good =
      cursor.empty() || (!paging->gateway.empty() && (paging->after.empty() || read_place(paging->after)));
  if (!good) return failure("'" + std::string(cursor.substr(0, 80)) + "' is not a cursor");
  if (limit == 0 || limit > max_page) return failure("a page has 1 to " + std::to_string(max_page) + " sessions");
  if (user_id && user_id->size() > records::max_user_id) return failure("the user id is too long");
  if (operations_.size() + questions_.size() >= max_operations)
    return failure("more than " + std::to_string(max_operations) + " operations are in progress");
  if (paging->gateway.empty()) {
    const auto alive = peers_.alive();
    paging->gateway = alive.empty() ? settings_.instance : std::min(settings_.instance, alive.front());
  }
  paging->limit = limit;
  paging->user_id = user_id;
  paging->done = std::move(done);
  next_page(paging);
  return {};
}

/// Fills the page from the current gateway, and from the following ones as long as there is room.
void Pushes::next_page(const std::shared_ptr<Paging>& paging) {
  const auto fill = [this, paging](Result<SessionPage> part) {
    if (!part) return paging->done(std::move(part));
    auto& sessions = paging->page.sessions;
    std::move(part->sessions.begin(), part->sessions.end(), std::back_inserter(sessions));
    if (!part->cursor.empty()) {
      paging->page.cursor = part->cursor + "@" + paging->gateway;
      return paging->done(std::move(paging->page));
    }
    auto gateways = peers_.alive();
    gateways.push_back(settings_.instance);
    std::sort(gateways.begin(), gateways.end());
    const auto next = std::upper_bound(gateways.begin(), gateways.end(), paging->gateway);
    if (next == gateways.end()) return paging->done(std::move(paging->page));
    paging->gateway = *next;
    paging->after.clear();
    if (sessions.size() < paging->limit) return next_page(paging);
    paging->page.cursor = "@" + *next;
    paging->done(std::move(paging->page));
  };
  const std::size_t room = paging->limit - paging->page.sessions.size();
  if (paging->gateway == settings_.instance) {
    SessionPage page;
    page_of_ours(paging->user_id.value_or(""), paging->user_id.has_value(), paging->after, room, page);
    return fill(std::move(page));
  }
  if (!peers_.alive(paging->gateway))
    return paging->done(failure("gateway " + paging->gateway.substr(0, 80) + " is gone"));
  const std::uint64_t op = next_op_++;
  auto question = std::make_unique<Question>(Question{paging->gateway, clock_.now() + settings_.timeout, fill});
  questions_[op] = std::move(question);
  edges_.tick_soon();
  const bool told =
      peers_.tell("list",
                  R"({"op":)" + std::to_string(op) + R"(,"after":)" + nuropb::json::quoted(paging->after) +
                      R"(,"limit":)" + std::to_string(room) + R"(,"user":)" +
                      (paging->user_id ? nuropb::json::quoted(*paging->user_id) : "null") + "}",
                  paging->gateway);
  if (!told) end_question(op, failure("gateway " + paging->gateway + " can't be reached now"));
}

void Pushes::page_of_ours(const std::string& user, bool of_user, std::string_view after, std::size_t limit,
                          SessionPage& page) {
  const auto from = read_place(after);
  std::size_t bytes = 0;
  PlaceInList last;
  const auto full = [&] { return page.sessions.size() >= limit || bytes >= page_bytes; };
  const auto add = [&](const PlaceInList& place, const Session& session) {
    if (!page.cursor.empty()) return;
    if (full()) {
      page.cursor = text_of(last);  // there is at least one more session, so there is a next page
      return;
    }
    bytes += 256 + session.identity.user_id().size() + session.identity.username().size();
    page.sessions.push_back({session.id.hex(), std::string(session.identity.user_id()),
                             std::string(session.identity.username()), settings_.instance, place.worker.slot});
    last = place;
  };
  if (of_user) {
    std::map<PlaceInList, const Session*> found;
    sessions_.each_of(
        user, [&](const Session& session) { found[{session.indexed.worker, session.indexed.slot}] = &session; });
    for (auto it = from ? found.upper_bound(*from) : found.begin(); it != found.end(); ++it)
      add(it->first, *it->second);
    return;
  }
  edges_.each([&](WorkerId worker, SessionTable& table) {
    if (!page.cursor.empty() || (from && worker < from->worker)) return;
    table.each([&](std::uint32_t slot, const Session& session) {
      const PlaceInList place{worker, slot};
      if (session.state == SessionState::open && session.handler == settings_.handler && (!from || place > *from))
        add(place, session);
    });
  });
}

void Pushes::on_list(const std::string& from, std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  const std::string after = object.is_object() ? member_of(object, "after", std::string("?")) : "?";
  const std::uint64_t op = object.is_object() ? member_of<std::uint64_t>(object, "op", 0) : 0;
  const std::uint64_t limit = object.is_object() ? member_of<std::uint64_t>(object, "limit", 0) : 0;
  if (op == 0 || limit == 0 || limit > max_page || (!after.empty() && !read_place(after)))
    return peers_.refuse_message(from, "a malformed request for sessions");
  const auto user = object.find("user");
  const bool of_user = user != object.end() && user->is_string();
  SessionPage page;
  page_of_ours(of_user ? user->get<std::string>() : "", of_user, after, limit, page);
  std::string out =
      R"({"op":)" + std::to_string(op) + R"(,"cursor":)" + nuropb::json::quoted(page.cursor) + R"(,"sessions":[)";
  for (const SessionEntry& entry : page.sessions) {
    if (out.back() != '[') out += ',';
    out += "[" + nuropb::json::quoted(entry.session_id) + "," + nuropb::json::quoted(entry.user_id) + "," +
           nuropb::json::quoted(entry.username) + "," + std::to_string(entry.edge) + "]";
  }
  peers_.tell("listed", out + "]}", from);
}

void Pushes::on_listed(const std::string& from, std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return peers_.refuse_message(from, "a list that is not an object");
  const std::uint64_t op = member_of<std::uint64_t>(object, "op", 0);
  const auto asked = questions_.find(op);
  if (asked == questions_.end() || asked->second->peer != from) return;  // it has timed out
  const auto sessions = object.find("sessions");
  SessionPage page;
  page.cursor = member_of(object, "cursor", std::string());
  bool good = (page.cursor.empty() || read_place(page.cursor)) && sessions != object.end() && sessions->is_array() &&
              sessions->size() <= max_page;
  for (std::size_t i = 0; good && i < sessions->size(); ++i) {
    const json& one = (*sessions)[i];
    good = one.is_array() && one.size() == 4 && one[0].is_string() && one[1].is_string() && one[2].is_string() &&
           one[3].is_number_unsigned() && SessionId::from_hex(one[0].get_ref<const std::string&>());
    if (good)
      page.sessions.push_back({one[0].get<std::string>(), one[1].get<std::string>(), one[2].get<std::string>(), from,
                               one[3].get<std::uint32_t>()});
  }
  if (!good) {
    peers_.refuse_message(from, "a list of sessions that can't be read");
    return end_question(op, failure("gateway " + from + " sent a malformed answer"));
  }
  end_question(op, std::move(page));
}

void Pushes::end_question(std::uint64_t op, Result<SessionPage> answer) {
  const auto node = questions_.extract(op);
  if (!node.empty()) node.mapped()->answer(std::move(answer));
}

}  // namespace nuropb::meshd
