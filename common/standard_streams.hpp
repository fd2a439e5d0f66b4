#pragma once
// Descriptors 0, 1 and 2, which a program may find closed, full, or connected to something that nothing reads.

#include <string_view>

namespace nuropb {

/// All three are open from here on, to /dev/null where nothing was there. First of all that a program does: whatever is
/// opened while one of them is closed takes its number, and errors that were meant for a person are written into it.
void keep_standard_descriptors();

/// A text on standard error, for what is said before there is a log. Given up after a moment where there is no room for it.
void complain(std::string_view text);

}  // namespace nuropb
