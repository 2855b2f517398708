// A handler may do no more than set a flag.
#include "tensor/system/signals.h"

#include <csignal>
#include <initializer_list>

namespace lookhere {
namespace {

volatile std::sig_atomic_t asked = 0;

}  // namespace

void note_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGPIPE}) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = [](int) { asked = 1; };
    // The others come in pairs now and then, from the shell and from the system, and must not end what is saving.
    action.sa_flags = signal == SIGINT ? static_cast<int>(SA_RESETHAND | SA_RESTART) : SA_RESTART;
    sigaction(signal, &action, nullptr);
  }
}

bool asked_to_stop() { return asked != 0; }

}  // namespace lookhere
