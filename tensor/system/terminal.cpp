// Asked of the terminal itself, which may have become another size.
#include "tensor/system/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

namespace lookhere {

bool is_terminal(int stream) { return isatty(stream) != 0; }

int terminal_width(int stream) {
  winsize size{};
  return ioctl(stream, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace lookhere
