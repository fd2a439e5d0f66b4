#include "common/records.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

namespace {

/// A record that decodes is encoded to the same bytes: each record has one encoding.
template <class Record>
void there_and_back(std::string_view payload) {
  const auto record = records::decode<Record>(payload);
  if (!record) return;
  std::string again;
  records::encode(*record, again);
  fuzz::must(again == payload, "a record has one spelling");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto payload = fuzz::text(data, size);
  there_and_back<records::OpenSession>(payload);
  there_and_back<records::CloseSession>(payload);
  there_and_back<records::Request>(payload);
  there_and_back<records::SessionAccepted>(payload);
  there_and_back<records::SessionRefused>(payload);
  there_and_back<records::Response>(payload);
  there_and_back<records::EndSession>(payload);
  there_and_back<records::SessionNotice>(payload);
  there_and_back<records::Event>(payload);
  there_and_back<records::Subscription>(payload);
  there_and_back<records::Authorize>(payload);
  there_and_back<records::MeshEvent>(payload);
  there_and_back<records::SubscriptionEnded>(payload);
  there_and_back<records::Push>(payload);
  there_and_back<records::CloseSessions>(payload);
  there_and_back<records::Pushed>(payload);
  there_and_back<records::SnorkyCall>(payload);
  there_and_back<records::BackendCall>(payload);
  there_and_back<records::ConsoleCall>(payload);
  there_and_back<records::SnorkyAnswer>(payload);
  there_and_back<records::BackendAnswer>(payload);
  there_and_back<records::Resume>(payload);
  there_and_back<records::Numbered>(payload);
  there_and_back<records::Resumed>(payload);
  return 0;
}
