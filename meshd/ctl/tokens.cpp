// nuropb-ctl token: creates test tokens, and shows how the gateway authenticates a token.

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "common/byte_order_mark.hpp"
#include "common/text_file.hpp"
#include "common/trimmed.hpp"
#include "meshd/auth/claims.hpp"
#include "meshd/auth/make_authorizers.hpp"
#include "meshd/auth/unpadded.hpp"
#include "meshd/ctl/say.hpp"

namespace nuropb::ctl {
namespace {

using meshd::Verdict;
using nlohmann::json;

constexpr std::size_t largest_key = 64U << 10, largest_token = 64U << 10;

struct Make {
  std::string user, name, secret_file, key_file, kid;
  std::vector<std::string> roles, claims;
  std::int64_t expires_s = 3600;
};

std::string_view first_line(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) return line;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return {};
}

Result<std::string> hmac(const std::string& secret_file, std::string_view input) {
  const auto text = read_text_file(secret_file, largest_key);
  if (!text) return tl::unexpected(text.error());
  const std::string_view secret = first_line(*text);
  if (secret.size() < 32) return failure("its first line has fewer than 32 bytes", secret_file);
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(input.data()), input.size(), out, &size);
  return std::string(reinterpret_cast<const char*>(out), size);
}

Result<std::string> rsa(const std::string& key_file, std::string_view input) {
  const auto text = read_text_file(key_file, largest_key);
  if (!text) return tl::unexpected(text.error());
  const std::unique_ptr<BIO, decltype(&::BIO_free)> bio(::BIO_new_mem_buf(text->data(), static_cast<int>(text->size())),
                                                        ::BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key(
      ::PEM_read_bio_PrivateKey(
          bio.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr),
      ::EVP_PKEY_free);
  if (!key || ::EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA)
    return failure("is not a private RSA key in PEM", key_file);
  const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> sign(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(input.data());
  std::size_t size = 0;
  if (::EVP_DigestSignInit(sign.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      ::EVP_DigestSign(sign.get(), nullptr, &size, bytes, input.size()) != 1)
    return failure("can't sign", key_file);
  std::string out(size, '\0');
  if (::EVP_DigestSign(sign.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes, input.size()) != 1)
    return failure("can't sign", key_file);
  out.resize(size);
  return out;
}

int make(const Invocation& invocation, const Make& wanted) {
  const Config::Jwt& jwt = invocation.config.jwt;
  const std::string secret_file =
      wanted.secret_file.empty() && wanted.key_file.empty() ? jwt.secret_file : wanted.secret_file;
  if (secret_file.empty() == wanted.key_file.empty())
    return fail(usage_mistake, "missing key: use --secret-file (or jwt.secret_file in the settings) or --key-file");
  const auto now = static_cast<std::int64_t>(std::time(nullptr));
  json claims{{jwt.user_claim, wanted.user},
              {"iat", now},
              {"exp", now + std::clamp(wanted.expires_s, -meshd::far_future, meshd::far_future)}};
  if (!wanted.name.empty()) claims[jwt.username_claim] = wanted.name;
  if (!wanted.roles.empty()) claims[jwt.roles_claim] = wanted.roles;
  if (!jwt.issuer.empty()) claims["iss"] = jwt.issuer;
  if (!jwt.audience.empty()) claims["aud"] = jwt.audience.front();
  for (const std::string& one : wanted.claims) {
    const auto equals = one.find('=');
    if (equals == std::string::npos || equals == 0) return fail(usage_mistake, "--claim is NAME=JSON or NAME=TEXT");
    const std::string text = one.substr(equals + 1);
    json value = json::parse(text, nullptr, false);
    claims[one.substr(0, equals)] = value.is_discarded() ? json(text) : std::move(value);
  }
  json header{{"alg", wanted.key_file.empty() ? "HS256" : "RS256"}, {"typ", "JWT"}};
  if (!wanted.kid.empty()) header["kid"] = wanted.kid;
  using meshd::unpadded::encode;
  const std::string input = encode(written(header)) + "." + encode(written(claims));
  const auto signature = wanted.key_file.empty() ? hmac(secret_file, input) : rsa(wanted.key_file, input);
  if (!signature) return fail(not_done, signature.error());
  const std::string token = input + "." + encode(*signature);
  if (invocation.json) std::cout << written({{"token", token}, {"header", header}, {"claims", claims}}) << '\n';
  else std::cout << token << '\n';
  return std::cout.flush() ? done : not_done;
}

struct Check {
  std::string token = "-";
  bool session_cookie = false;
};

Result<Verdict> judge(const Config& config, meshd::Credential credential) {
  auto authorizers = meshd::make_authorizers(config);
  if (!authorizers) return tl::unexpected(authorizers.error());
  if (authorizers->mesh)
    authorizers->mesh->connect(
        [](mesh::Outgoing&&, const std::string&) { return false; });  // only meshd is connected to the mesh
  boost::asio::io_context io;
  const auto work = boost::asio::make_work_guard(io);
  std::optional<Verdict> verdict;
  authorizers->chain->start([&io](std::function<void()> job) { boost::asio::post(io, std::move(job)); });
  authorizers->chain->judge(credential, [&](Verdict said) {
    verdict = std::move(said);
    io.stop();
  });
  if (!verdict) {
    io.restart();
    io.run_for(std::chrono::milliseconds(config.auth.verdict_timeout_ms));
  }
  authorizers->chain->stop();
  if (!verdict) return failure("not authenticated in time", "", "auth.verdict_timeout_ms");
  return *verdict;
}

int check(const Invocation& invocation, const Check& asked) {
  std::string token = asked.token;
  if (token == "-") {
    token.clear();
    for (char c; token.size() <= largest_token && std::cin.get(c);) token += c;
  }
  token = std::string(trimmed(without_byte_order_mark(token), " \t\r\n"));
  if (token.empty() || token.size() > records::max_credential)
    return fail(usage_mistake, token.empty() ? "there is no token" : "the token is longer than any gateway accepts");
  using records::CredentialKind;
  const auto verdict =
      judge(invocation.config, {asked.session_cookie ? CredentialKind::session_cookie : CredentialKind::header, token});
  if (!verdict) return fail(not_done, verdict.error());
  const meshd::Identity& who = verdict->identity;
  const bool accepted = verdict->accepted();
  if (invocation.json) {
    json out{{"accepted", accepted}};
    if (!accepted) {
      out["reason"] = verdict->reason;
      out["again"] = verdict->what == Verdict::What::unavailable;
    } else {
      out.update({{"user_id", who.user_id},
                  {"username", who.username.empty() ? json(nullptr) : json(who.username)},
                  {"roles", who.roles},
                  {"expires", who.expires == 0 ? json(nullptr) : json(who.expires)},
                  {"authorizer", who.authorizer}});
    }
    std::cout << written(out) << '\n';
  } else if (accepted) {
    std::cout << "accepted: user " << shown(std::string_view(who.user_id)) << " (" << who.authorizer << ")";
    for (std::size_t i = 0; i < who.roles.size(); ++i)
      std::cout << (i == 0 ? ", roles " : " ") << shown(std::string_view(who.roles[i]));
    if (who.expires != 0) {
      const auto left = who.expires - static_cast<std::int64_t>(std::time(nullptr));
      std::cout << ", for " << duration(static_cast<std::uint64_t>(std::max<std::int64_t>(left, 0)));
    }
    std::cout << '\n';
  } else {
    std::cout << (verdict->what == Verdict::What::unavailable ? "cannot be authenticated now: " : "refused: ")
              << shown(std::string_view(verdict->reason)) << '\n';
  }
  return accepted ? done : refused;
}

}  // namespace

void add_token_commands(CLI::App& app, Invocation& invocation) {
  CLI::App* const token =
      app.add_subcommand("token", "Creates test tokens, and checks how the gateway authenticates a token");
  token->require_subcommand(1);

  const auto wanted = std::make_shared<Make>();
  CLI::App* const made = token->add_subcommand(
      "make", "Prints a JSON Web Token for tests, with the names, issuer and audience of the settings");
  made->add_option("--user", wanted->user, "The token's user id")->required();
  made->add_option("--name", wanted->name, "The user's name");
  made->add_option("--role", wanted->roles, "A role; may be repeated")->allow_extra_args(false);
  made->add_option("--claim", wanted->claims, "A further claim, NAME=JSON or NAME=TEXT; may be repeated")
      ->allow_extra_args(false);
  made->add_option("--expires-s", wanted->expires_s, "Lifetime in seconds; below 0: it has already expired")
      ->capture_default_str();
  made->add_option("--secret-file", wanted->secret_file, "HS256, under its first line (default: jwt.secret_file)");
  made->add_option("--key-file", wanted->key_file, "RS256, under this private key in PEM");
  made->add_option("--kid", wanted->kid, "The name of the key");
  runs(made, invocation, make, wanted);

  const auto asked = std::make_shared<Check>();
  CLI::App* const checked = token->add_subcommand(
      "check",
      "Authenticates a token with the configured authorizers and prints its user, or why it is refused. Reads the "
      "token from standard input, where no list of processes shows it\n"
      "Exit codes: 0 accepted; 1 it cannot be authenticated now; 2 wrong command or settings; 3 refused");
  checked->add_option("token", asked->token, "The token; -: from standard input")->capture_default_str();
  checked->add_flag("--session-cookie", asked->session_cookie,
                    "The token is the value of the cookie auth.session_cookie");
  runs(checked, invocation, check, asked);
}

}  // namespace nuropb::ctl
