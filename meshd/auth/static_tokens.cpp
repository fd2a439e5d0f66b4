#include "meshd/auth/static_tokens.hpp"

#include <openssl/sha.h>
#include <toml++/toml.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "common/text_file.hpp"
#include "common/wipe.hpp"

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_file_bytes = 16U << 20;

std::string at(const std::string& name, const toml::source_region& region) {
  return name + ":" + std::to_string(region.begin.line);
}

Result<Identity> parse_user(const toml::table& entry, const std::string& name) {
  Identity user;
  for (auto&& [key, value] : entry) {
    const std::string where = at(name, value.source());
    const auto text = value.value_exact<std::string>();
    if (key.str() == "user_id" || key.str() == "username") {
      if (!text) return failure("'" + std::string(key.str()) + "' is not a string", where);
      (key.str() == "user_id" ? user.user_id : user.username) = *text;
    } else if (key.str() == "roles") {
      const toml::array* const list = value.as_array();
      if (!list) return failure("'roles' is not a list of strings", where);
      for (const auto& item : *list) {
        if (!item.is_string()) return failure("'roles' has an entry that is not a string", where);
        user.roles.push_back(item.as_string()->get());
      }
    } else if (key.str() == "claims") {
      if (!value.is_table()) return failure("'claims' is not a table", where);
      std::ostringstream claims;
      claims << toml::json_formatter(*value.as_table());
      user.claims = nlohmann::json::parse(claims.str()).dump();
    } else {
      return failure("unknown key '" + std::string(key.str()) + "' of a token", where,
                     "a token has user_id, username, roles and claims");
    }
  }
  const std::string where = at(name, entry.source());
  if (user.user_id.empty()) return failure("a token has no user_id", where);
  if (user.user_id.size() > max_name || user.username.size() > max_name)
    return failure("a name is longer than 1024 bytes", where);
  std::size_t size = user.claims.size();
  for (const auto& role : user.roles) size += role.size() + sizeof(std::uint32_t);
  if (size > max_claims) return failure("roles and claims are larger than 8 KiB", where);
  return user;
}

}  // namespace

StaticTokens::Digest StaticTokens::digest(std::string_view token) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), out.data());
  return out;
}

Result<StaticTokens> StaticTokens::parse(std::string_view text, const std::string& name) {
  StaticTokens result;
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    return failure("not TOML: " + std::string(e.description()), at(name, e.source()));
  }
  for (auto&& [key, node] : root) {
    if (key.str() != "tokens")
      return failure("unknown key '" + std::string(key.str()) + "'", at(name, node.source()),
                     "only [tokens.\"…\"] tables are allowed");
  }
  if (!root["tokens"]) return result;
  const toml::table* tokens = root["tokens"].as_table();
  if (!tokens) return failure("'tokens' is not a table", name);
  for (auto&& [token, node] : *tokens) {
    const std::string where = at(name, node.source());
    const toml::table* entry = node.as_table();
    if (!entry) return failure("a token is not a table with a user_id", where);
    if (token.str().empty()) return failure("a token is empty", where);
    auto user = parse_user(*entry, name);
    if (!user) return tl::unexpected(user.error());
    result.users_.emplace(digest(token.str()), std::move(*user));
  }
  return result;
}

Result<StaticTokens> StaticTokens::load(const std::string& file) {
  auto text = read_text_file(file, max_file_bytes);
  if (!text) return failure(text.error().what, text.error().where, "auth.token_file names it");
  auto parsed = parse(*text, file);
  wipe(*text);
  if (parsed) parsed->file_ = file;
  return parsed;
}

void StaticTokens::judge(const Credential& credential, Answer answer) {
  if (!credential.bearer()) return answer(Verdict::pass());
  const auto found = users_.find(digest(credential.token));
  if (found == users_.end()) return answer(Verdict::pass("unknown token"));
  Identity identity = found->second;
  identity.token = credential.token;
  answer(Verdict::accept(std::move(identity)));
}

bool StaticTokens::still_good(const Identity& identity) const {
  const auto found = users_.find(digest(identity.token));
  return found != users_.end() && found->second.user_id == identity.user_id;
}

Result<void> StaticTokens::reload() {
  if (file_.empty()) return {};
  auto fresh = load(file_);
  if (!fresh) return tl::unexpected(fresh.error());
  users_ = std::move(fresh->users_);
  return {};
}

}  // namespace nuropb::meshd
