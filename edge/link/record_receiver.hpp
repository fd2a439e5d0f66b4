#pragma once
// The table of meshd's records: one row for each type, with what decodes and handles it. A type without a row, and a record
// that can't be decoded, are ignored: MeshLink has checked type and size before.
//
// Owner thread: the edge's io_context.

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "common/records.hpp"
#include "shm/ring.hpp"

namespace nuropb::edge {

class RecordReceiver {
 public:
  /// `handle` is called with the header and the decoded record, whose views are valid during the call.
  template <class Record, class Handle>
  void on(records::Type type, Handle handle) {
    rows_.at(row_of(static_cast<std::uint16_t>(type))) = [handle = std::move(handle)](const shm::RecordHeader& header,
                                                                                      const std::string& payload) {
      if (const auto record = records::decode<Record>(payload)) handle(header, *record);
    };
  }

  void receive(const shm::RecordHeader& header, const std::string& payload) const {
    const std::size_t row = row_of(header.type);
    if (row < rows_.size() && rows_[row]) rows_[row](header, payload);
  }

 private:
  // Types of records from meshd begin behind this one.
  static constexpr std::size_t first = static_cast<std::size_t>(records::Type::session_accepted);
  static constexpr std::size_t count = static_cast<std::size_t>(records::Type::resumed) - first + 1;
  static constexpr std::size_t row_of(std::uint16_t type) { return std::size_t{type} - first; }

  std::array<std::function<void(const shm::RecordHeader&, const std::string&)>, count> rows_;
};

}  // namespace nuropb::edge
