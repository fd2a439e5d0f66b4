#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <vector>

#include "common/ids.hpp"
#include "meshd/mesh/encryption.hpp"

namespace nuropb::mesh {
namespace {

class RsaKeys : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string written(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path(name)) << text;
    ::chmod(path(name).c_str(), mode);
    return path(name);
  }
  std::string folder_ = ::testing::TempDir() + "rsa-keys-" + random_hex32();
};

std::string pem_of(EVP_PKEY* key, bool secret) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> owner(key, &EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), &BIO_free);
  secret ? PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr)
         : PEM_write_bio_PUBKEY(out.get(), key);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

TEST_F(RsaKeys, AFileIsMadeOnceAndKept) {
  const auto made = PrivateKey::load_or_create(path("key.pem"));
  ASSERT_TRUE(made) << made.error().text();
  struct stat st{};
  ASSERT_EQ(::stat(path("key.pem").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U);
  const auto again = PrivateKey::load_or_create(path("key.pem"));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->public_key().pem(), made->public_key().pem());
  EXPECT_EQ(made->open(*again->public_key().seal("text")), "text");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing else is left there";
}

TEST_F(RsaKeys, OfSeveralMakersOneWins) {
  std::vector<std::future<Result<PrivateKey>>> makers;
  for (int i = 0; i < 4; ++i)
    makers.push_back(std::async(std::launch::async, [this] { return PrivateKey::load_or_create(path("key.pem")); }));
  const auto first = makers[0].get();
  ASSERT_TRUE(first) << first.error().text();
  for (std::size_t i = 1; i < makers.size(); ++i) {
    const auto other = makers[i].get();
    ASSERT_TRUE(other) << other.error().text();
    EXPECT_EQ(other->public_key().pem(), first->public_key().pem());
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

std::string refusal(const Result<PrivateKey>& key) { return key ? "taken" : key.error().text(); }
std::string refusal(const Result<PublicKey>& key) { return key ? "taken" : key.error().text(); }

TEST_F(RsaKeys, FilesThatAreRefused) {
  const std::string good = PrivateKey::generate()->pem();
  EXPECT_EQ(refusal(PrivateKey::load_or_create(written("good", good))), "taken");
  EXPECT_EQ(refusal(PrivateKey::load_or_create(written("group reads", good, 0640))), "taken");
  for (const mode_t mode : {0644, 0604, 0660, 0602}) {
    EXPECT_NE(
        refusal(PrivateKey::load_or_create(written("open", good, mode))).find("other users may read it or write to it"),
        std::string::npos)
        << mode;
  }
  const std::string broken = path("broken") + ": is not a private key in PEM, without a passphrase";
  EXPECT_EQ(refusal(PrivateKey::load_or_create(written("broken", ""))), broken);
  EXPECT_EQ(refusal(PrivateKey::load_or_create(written("broken", good.substr(0, good.size() / 2)))), broken);
  EXPECT_EQ(refusal(PrivateKey::load_or_create(written("broken", PrivateKey::generate()->public_key().pem()))), broken);
  EXPECT_EQ(refusal(PrivateKey::load_or_create(written("large", std::string(1 << 20, 'x')))),
            path("large") + ": has over 65536 bytes");
  EXPECT_EQ(refusal(PrivateKey::load_or_create(folder_)), folder_ + ": is not a file");
  EXPECT_NE(
      refusal(PrivateKey::load_or_create(path("none/key.pem"))).find("can't be written: No such file or directory"),
      std::string::npos);
}

TEST_F(RsaKeys, KeysThatAreRefused) {
  ERR_clear_error();
  const std::string small = "has 1024 bits (from 2048 to 8192 are taken)";
  EXPECT_EQ(refusal(PublicKey::from_pem(pem_of(EVP_RSA_gen(1024), false))), "public key: " + small);
  EXPECT_EQ(refusal(PrivateKey::from_pem(pem_of(EVP_RSA_gen(1024), true))), "private key: " + small);
  EXPECT_EQ(refusal(PublicKey::from_pem(pem_of(EVP_EC_gen("P-256"), false))), "public key: is not an RSA key");
  EXPECT_EQ(refusal(PrivateKey::from_pem(pem_of(EVP_EC_gen("P-256"), true))), "private key: is not an RSA key");
  EXPECT_EQ(refusal(PublicKey::from_pem("")), "public key: is not a public key in PEM");
  EXPECT_EQ(refusal(PublicKey::from_pem("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")),
            "public key: is not a public key in PEM");
  EXPECT_EQ(refusal(PublicKey::from_pem(std::string(1 << 20, 'x'))), "public key: has 1048576 bytes");
  EXPECT_EQ(refusal(PrivateKey::generate(1024)), "private key: an RSA key of 1024 bits is not supported");
  EXPECT_EQ(ERR_peek_error(), 0U) << "nothing is left in OpenSSL's queue";
}

TEST_F(RsaKeys, PemThereAndBack) {
  const PrivateKey key = *PrivateKey::generate();
  EXPECT_EQ(PublicKey::from_pem(key.public_key().pem())->pem(), key.public_key().pem());
  EXPECT_EQ(PrivateKey::from_pem(key.pem())->public_key().pem(), key.public_key().pem());
  EXPECT_TRUE(key.public_key().pem().starts_with("-----BEGIN PUBLIC KEY-----\n"));
  EXPECT_TRUE(key.pem().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

TEST_F(RsaKeys, WhatDoesNotFitIsNotSealed) {
  const auto sealed = PrivateKey::generate()->public_key().seal(std::string(200, 'x'));  // 2048 bits hold 190 bytes
  ASSERT_FALSE(sealed);
  EXPECT_EQ(sealed.error().text(), "public key: can't be used for sealing: OpenSSL refuses it");
}

}  // namespace
}  // namespace nuropb::mesh
