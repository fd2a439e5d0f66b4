// One packet on the control socket.

#include <sys/socket.h>

#include "shm/control.hpp"
#include "tests/fuzz/fuzz.hpp"

using namespace nuropb;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) return 0;
  shm::UniqueFd sender(fds[0]);
  shm::ControlChannel channel{shm::UniqueFd(fds[1])};
  if (size == 0 || ::send(sender.get(), data, size, MSG_NOSIGNAL) < 0) return 0;
  using What = shm::ControlChannel::Received::What;
  const auto received = channel.receive();
  fuzz::must(received.what != What::nothing && received.what != What::closed, "a packet is something");
  fuzz::must(received.what != What::welcome, "a welcome has descriptors");
  fuzz::must(received.what != What::rubbish || !received.rubbish.empty(), "rubbish is named");
  fuzz::must(channel.receive().what == What::nothing, "one packet is one message");
  return 0;
}
