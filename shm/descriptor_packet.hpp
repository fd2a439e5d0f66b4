#pragma once
// A packet with at most one descriptor attached: how helper processes with few permissions hand over sockets. Allocates
// nothing, so it may be used after a fork.

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstring>

#include "shm/unique_fd.hpp"

namespace nuropb::shm {

class DescriptorPacket {
 public:
  /// The packet's bytes belong to the caller and must outlive this object.
  DescriptorPacket(void* bytes, std::size_t size) : bytes_{bytes, size} {
    message_.msg_iov = &bytes_;
    message_.msg_iovlen = 1;
  }
  DescriptorPacket(const DescriptorPacket&) = delete;
  DescriptorPacket& operator=(const DescriptorPacket&) = delete;

  /// `descriptor` stays the caller's; -1: none. Returns the result of sendmsg().
  ssize_t send(int socket, int descriptor = -1) {
    if (descriptor >= 0) {
      make_room();
      cmsghdr* const beside = CMSG_FIRSTHDR(&message_);
      beside->cmsg_level = SOL_SOCKET;
      beside->cmsg_type = SCM_RIGHTS;
      beside->cmsg_len = CMSG_LEN(sizeof descriptor);
      std::memcpy(CMSG_DATA(beside), &descriptor, sizeof descriptor);
    }
    return ::sendmsg(socket, &message_, MSG_NOSIGNAL);
  }
  /// Returns the result of recvmsg().
  ssize_t receive(int socket, int flags = 0) {
    make_room();
    return ::recvmsg(socket, &message_, flags | MSG_CMSG_CLOEXEC);
  }
  /// Moves out the descriptor that was received. Empty if there was none.
  [[nodiscard]] UniqueFd take() {
    const cmsghdr* const beside = CMSG_FIRSTHDR(&message_);
    if (!beside || beside->cmsg_type != SCM_RIGHTS) return {};
    int descriptor = -1;
    std::memcpy(&descriptor, CMSG_DATA(beside), sizeof descriptor);
    message_.msg_controllen = 0;
    return UniqueFd(descriptor);
  }

 private:
  void make_room() {
    message_.msg_control = room_;
    message_.msg_controllen = sizeof room_;
  }

  iovec bytes_;
  alignas(cmsghdr) char room_[CMSG_SPACE(sizeof(int))] = {};
  msghdr message_{};
};

}  // namespace nuropb::shm
