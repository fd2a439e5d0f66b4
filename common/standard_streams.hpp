#pragma once
// Descriptors 0, 1 and 2, which a program may find closed, full, or connected to something that nothing reads.

#include <string_view>

namespace nuropb {

/// Opens /dev/null for each of the three that is closed. Must be the first action of a program: otherwise a file that
/// is opened gets one of these numbers, and error messages for the user are written into it.
void keep_standard_descriptors();

/// Writes a text to standard error, for messages before the log is open. Gives up after a short time if there is no
/// room.
void complain(std::string_view text);

}  // namespace nuropb
