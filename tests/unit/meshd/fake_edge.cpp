#include "tests/unit/meshd/fake_edge.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace nuropb::meshd {
namespace {

/// Where a descriptor is sent or received, beside one byte.
class OneDescriptor {
 public:
  OneDescriptor() {
    part_ = {&byte_, 1};
    message_.msg_iov = &part_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_.data();
    message_.msg_controllen = control_.size();
  }
  bool send(int socket, int fd) {
    cmsghdr* const head = CMSG_FIRSTHDR(&message_);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
    return ::sendmsg(socket, &message_, MSG_NOSIGNAL) == 1;
  }
  shm::UniqueFd receive(int socket) {
    const cmsghdr* const head =
        ::recvmsg(socket, &message_, MSG_CMSG_CLOEXEC) == 1 ? CMSG_FIRSTHDR(&message_) : nullptr;
    if (!head || head->cmsg_type != SCM_RIGHTS) throw std::runtime_error("the edge's process can't connect");
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return shm::UniqueFd(fd);
  }

 private:
  char byte_ = 0;
  iovec part_{};
  msghdr message_{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control_{};
};

sockaddr_un address;  // what an edge's process connects to

int connect_to_meshd() {
  const int connection = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (connection < 0) return -1;
  return ::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? connection : -1;
}

void connect_many_times(int) {
  for (int i = 0; i < 40; ++i) ::close(connect_to_meshd());
}

/// The packet of a hello.
std::string packet_of(const shm::Hello& hello) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("no socket pair");
  shm::ControlChannel sender{shm::UniqueFd(pair[0])};
  const shm::UniqueFd receiver(pair[1]);
  if (!sender.send_hello(hello)) throw std::runtime_error("no hello could be sent");
  std::string out(64 * 1024, '\0');
  const ssize_t size = ::recv(receiver.get(), out.data(), out.size(), 0);
  if (size <= 0) throw std::runtime_error("a hello is not to be had");
  out.resize(static_cast<std::size_t>(size));
  return out;
}

/// Runs in the edge's process, which must not allocate memory or take locks.
[[noreturn]] void connect_and_sleep(int to_test, std::string_view hello) {
  // fork() copied meshd's signal handlers, which would report this process's signals to the test's meshd.
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_DFL);
  ::signal(SIGUSR1, connect_many_times);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int connection = connect_to_meshd();
  if (connection < 0) ::_exit(1);
  // The kernel tells meshd which process sends the hello, so the test process can't send it.
  if (!hello.empty() && ::send(connection, hello.data(), hello.size(), MSG_NOSIGNAL) < 0) ::_exit(1);
  OneDescriptor message;
  if (!message.send(to_test, connection)) ::_exit(1);
  // Closes what meshd and the test have open, or their peers would never see the end. The test waits for that.
  ::close_range(0, static_cast<unsigned>(to_test) - 1, 0);
  ::close_range(static_cast<unsigned>(to_test) + 1, ~0U, 0);
  ::close(to_test);
  for (;;) ::pause();
}

}  // namespace

EdgeProcess::EdgeProcess(const std::string& path, const std::optional<shm::Hello>& hello) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the control socket's path is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) throw std::runtime_error("no socket pair");
  const shm::UniqueFd ours(pair[0]);
  shm::UniqueFd theirs(pair[1]);
  const std::string packet = hello ? packet_of(*hello) : std::string();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("no process for an edge");
  if (pid_ == 0) connect_and_sleep(theirs.get(), packet);
  theirs.reset();  // or the end of a process that can't connect would not be seen
  connection_ = OneDescriptor().receive(ours.get());
  char none = 0;
  if (::read(ours.get(), &none, 1) != 0) throw std::runtime_error("the edge's process says too much");
}

EdgeProcess::~EdgeProcess() { (void)end(); }

void EdgeProcess::connect_again() const { ::kill(pid_, SIGUSR1); }

int EdgeProcess::end() {
  if (ended_by_ != 0) return ended_by_;
  // An earlier SIGKILL wins over this signal, delivered or not.
  ::kill(pid_, SIGTERM);
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) throw std::runtime_error("the edge's process is gone");
  ended_by_ = WIFSIGNALED(status) ? WTERMSIG(status) : -1;
  return ended_by_;
}

FakeEdge::FakeEdge(std::function<void()> run, const std::string& path, const std::string& ticket, std::uint32_t abi)
    : run_(std::move(run)), process_(path, shm::Hello{abi, ticket}), channel_(process_.take_connection()) {
  run_();
  auto received = channel_.receive();
  using What = shm::ControlChannel::Received::What;
  if (received.what == What::refusal) {
    refusal = received.refusal.reason;
    return;
  }
  if (received.what == What::closed) {
    closed_ = true;
    return;
  }
  if (received.what != What::welcome) throw std::runtime_error("meshd says neither yes nor no to a hello");
  welcome = received.welcome;
  auto segments = shm::EdgeSegments::open(std::move(received.fd_m), std::move(received.fd_e));
  if (!segments) throw std::runtime_error(segments.error().text());
  segments_.emplace(std::move(*segments));
  bell_ = std::move(received.bell);
  requests_ = segments_->requests();
  answers_ = segments_->responses();
}

void FakeEdge::write_raw(std::uint16_t type, std::string_view payload, std::uint64_t sequence) {
  if (!requests_.write(type, 0, sequence, {payload})) throw std::runtime_error("no room in the request ring");
  if (requests_.commit()) bell_.ring();
}

std::pair<shm::RecordHeader, std::string> FakeEdge::next_raw(std::uint16_t type) {
  run_();
  shm::RecordHeader header;
  const auto found = answers_.peek(header);
  const std::string wanted = "a record of type " + std::to_string(type) + " is expected, ";
  if (found == shm::RingReader::Next::poisoned) throw std::runtime_error(wanted + "but meshd's ring is poisoned");
  if (found == shm::RingReader::Next::empty) throw std::runtime_error(wanted + "but none came");
  std::string payload;
  answers_.take(header, payload);
  if (answers_.release()) bell_.ring();
  if (header.type != type) {
    for (char& c : payload) c = c < ' ' || c > '~' ? '.' : c;
    throw std::runtime_error(wanted + "but one of type " + std::to_string(header.type) + " came: " + payload);
  }
  return {header, std::move(payload)};
}

bool FakeEdge::quiet() {
  run_();
  return answers_.depth() == 0;
}

bool FakeEdge::detached() {
  run_();
  if (!closed_) closed_ = channel_.receive().what == shm::ControlChannel::Received::What::closed;
  return closed_;
}

bool FakeEdge::killed() { return detached() && process_.end() == SIGKILL; }

void FakeEdge::die() {
  (void)process_.end();
  channel_.close();
  closed_ = true;
  bell_ = shm::Doorbell();
}

}  // namespace nuropb::meshd
