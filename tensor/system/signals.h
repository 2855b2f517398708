// Requests to stop: signals that ask a run to save itself and end.
#pragma once

namespace lookhere {

// From now on these signals are noted instead of ending the process: SIGINT, SIGTERM; SIGHUP (the terminal is gone),
// SIGUSR1, SIGUSR2 and SIGXCPU (what batch systems send before they kill), SIGPIPE (no one reads stdout or stderr any
// more). One that the parent process had ignored, as nohup does, stays ignored. A second Ctrl-C ends the process at
// once.
void note_stop_signals();
// Has one come?
bool asked_to_stop();

}  // namespace lookhere
