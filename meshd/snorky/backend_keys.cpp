#include "meshd/snorky/backend_keys.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <toml++/toml.h>

#include <functional>

#include "common/text_file.hpp"
#include "common/wipe.hpp"

namespace nuropb::meshd::snorky {
namespace {

constexpr std::size_t max_file_bytes = 1U << 20;
constexpr std::size_t most_keys = 256;  // each call is compared with all of them
constexpr std::size_t most_words = 256;

using At = std::function<std::string(const toml::node&)>;

/// A list of non-empty strings. An empty list is rejected, because it could mean nothing or everything.
Result<std::vector<std::string>> texts_of(const toml::table& table, std::string_view name, const At& at) {
  std::vector<std::string> out;
  const toml::node* const node = table.get(name);
  if (!node) return out;
  const toml::array* const list = node->as_array();
  if (!list || list->empty() || list->size() > most_words)
    return failure("'" + std::string(name) + "' is not a list of 1 to 256 strings", at(*node));
  for (const toml::node& one : *list) {
    auto text = one.value_exact<std::string>();
    if (!text || text->empty())
      return failure("'" + std::string(name) + "' has an entry that is not a string", at(one));
    out.push_back(std::move(*text));
  }
  return out;
}

Result<BackendScope> scope_of(const toml::table& table, const At& at) {
  for (auto&& [name, node] : table) {
    if (name != "key" && name != "may" && name != "channels" && name != "users")
      return failure("unknown name '" + std::string(name.str()) + "'", at(node),
                     "known names are key, may, channels and users");
  }
  auto may = texts_of(table, "may", at), channels = texts_of(table, "channels", at),
       users = texts_of(table, "users", at);
  for (const auto* const list : {&may, &channels, &users}) {
    if (!*list) return tl::unexpected(list->error());
  }
  if (may->empty()) return failure("there is no 'may'", at(table), "a list of publish, send, close, list");
  auto scope = BackendScope::of(*may, std::move(*channels), std::move(*users));
  if (!scope) return failure(scope.error().what, at(*table.get("may")), scope.error().hint);
  return scope;
}

}  // namespace

BackendKeys::Digest BackendKeys::digest(std::string_view key) {
  Digest out;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), out.data());
  return out;
}

Result<BackendKeys> BackendKeys::parse(std::string_view text, const std::string& name) {
  BackendKeys out;
  toml::table root;
  try {
    root = toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    return failure("not TOML: " + std::string(e.description()), name + ":" + std::to_string(e.source().begin.line));
  }
  const auto at = [&](const toml::node& node) { return name + ":" + std::to_string(node.source().begin.line); };
  for (auto&& [key, node] : root) {
    if (key.str() != "keys")
      return failure("unknown key '" + std::string(key.str()) + "'", at(node), "only a [keys] table is allowed");
  }
  toml::table* const keys = root["keys"].as_table();
  if (!keys || keys->empty())
    return failure("no [keys] table with a key in it", name, "without a key no backend could call");
  if (keys->size() > most_keys) return failure("more than 256 keys", at(*keys));
  for (auto&& [key_name, node] : *keys) {
    toml::table* const scoped = node.as_table();
    auto* const key_node = scoped ? scoped->get_as<std::string>("key") : node.as_string();
    if (!key_node) return failure("a key is not a string", at(node));
    std::string* const key = &key_node->get();
    auto scope = scoped ? scope_of(*scoped, at) : Result<BackendScope>();
    if (!scope) return tl::unexpected(scope.error());
    if (key->size() < min_key || key->size() > max_key)
      return failure("a key is shorter than 16 bytes, or longer than 1024", at(node),
                     "openssl rand -hex 32 generates a good one");
    for (const char c : *key) {
      if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
        return failure("a key has a character that is not allowed in a header", at(node),
                       "letters, digits and signs of ASCII, no spaces");
    }
    out.keys_.push_back({digest(*key), {std::string(key_name.str()), std::move(*scope)}});
    wipe(*key);
  }
  return out;
}

Result<BackendKeys> BackendKeys::load(const std::string& file) {
  auto text = read_text_file(file, max_file_bytes);
  if (!text) return failure(text.error().what, text.error().where, "backend.key_file names it");
  auto parsed = parse(*text, file);
  wipe(*text);
  if (parsed) parsed->file_ = file;
  return parsed;
}

Result<void> BackendKeys::reload() {
  if (file_.empty()) return {};
  auto fresh = load(file_);
  if (!fresh) return tl::unexpected(fresh.error());
  keys_ = std::move(fresh->keys_);
  return {};
}

const BackendKeys::Owner* BackendKeys::judge(std::string_view key) const {
  const Digest shown = digest(key);
  const Owner* found = nullptr;
  for (const Key& one : keys_) {
    if (CRYPTO_memcmp(one.digest.data(), shown.data(), shown.size()) == 0) found = &one.owner;
  }
  return found;
}

}  // namespace nuropb::meshd::snorky
