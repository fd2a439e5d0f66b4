#include "meshd/auth/static_tokens.hpp"

#include <openssl/sha.h>
#include <toml++/toml.h>

#include <fstream>
#include <sstream>

namespace nuropb::meshd {
namespace {

constexpr std::size_t max_file_bytes = 16U << 20;
constexpr std::size_t max_user_id = 1024;  // records::SessionAccepted carries it

std::string at(const std::string& name, const toml::source_region& region) {
  return name + ":" + std::to_string(region.begin.line);
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
    if (key.str() != "tokens") return failure("unknown key '" + std::string(key.str()) + "'", at(name, node.source()), "only [tokens.\"…\"] tables stand here");
  }
  if (!root["tokens"]) return result;
  const toml::table* tokens = root["tokens"].as_table();
  if (!tokens) return failure("'tokens' is not a table", name);
  for (auto&& [token, node] : *tokens) {
    const std::string where = at(name, node.source());
    const toml::table* entry = node.as_table();
    if (!entry) return failure("a token is not a table with a user_id", where);
    if (token.str().empty()) return failure("a token is empty", where);
    User user;
    for (auto&& [key, value] : *entry) {
      const auto text_value = value.value_exact<std::string>();
      if (key.str() == "user_id" && text_value) user.user_id = *text_value;
      else if (key.str() == "username" && text_value) user.username = *text_value;
      else if (key.str() == "user_id" || key.str() == "username") return failure("'" + std::string(key.str()) + "' is not a string", at(name, value.source()));
      else return failure("unknown key '" + std::string(key.str()) + "' of a token", at(name, value.source()), "a token has user_id and username");
    }
    if (user.user_id.empty()) return failure("a token has no user_id", where);
    if (user.user_id.size() > max_user_id || user.username.size() > max_user_id) return failure("a name is longer than 1024 bytes", where);
    result.users_.emplace(digest(token.str()), std::move(user));
  }
  return result;
}

Result<StaticTokens> StaticTokens::load(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return failure("can't be read", file, "auth.token_file names it");
  std::string text(max_file_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > max_file_bytes) return failure("larger than 16 MiB", file);
  auto parsed = parse(text, file);
  if (parsed) parsed->file_ = file;
  return parsed;
}

void StaticTokens::judge(const std::string& token, Answer answer) {
  const auto found = users_.find(digest(token));
  if (found == users_.end()) answer(failure("unknown token"));
  else answer(Identity{found->second.user_id, found->second.username, token});
}

Result<void> StaticTokens::reload() {
  if (file_.empty()) return {};
  auto fresh = load(file_);
  if (!fresh) return tl::unexpected(fresh.error());
  users_ = std::move(fresh->users_);
  return {};
}

}  // namespace nuropb::meshd
