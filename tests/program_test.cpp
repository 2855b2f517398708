// What tests wait for ends: a program that hangs, that dies, that is not there, or whose streams lead nowhere.
#include "tests/program.h"

#include <sys/stat.h>

namespace lookhere {
namespace {

Surroundings shell(unsigned seconds) { return {.program = "/bin/sh", .seconds = seconds}; }
const Words kForEver{"-c", "exec sleep 1000000"};

TEST(Program, GivesItsStreamsAndItsCode) {
  const Finished end = run_program({"-c", "echo result; echo remark >&2; exit 7"}, shell(60));
  EXPECT_EQ(end.code, 7);
  EXPECT_EQ(end.signal, 0);
  EXPECT_EQ(end.out, "result\n");
  EXPECT_EQ(end.err, "remark\n");
}

TEST(Program, OneThatHangsIsEnded) {
  const Finished end = run_program(kForEver, shell(1));
  EXPECT_EQ(end.code, -1);
  EXPECT_EQ(end.signal, SIGALRM);
}

// Whoever runs the tests may ignore or block that signal, and ignore the death of children.
TEST(Program, OneThatHangsIsEndedWhateverTheCallerIgnores) {
  sigset_t alarm_signal, before;
  sigemptyset(&alarm_signal);
  sigaddset(&alarm_signal, SIGALRM);
  sigprocmask(SIG_BLOCK, &alarm_signal, &before);
  std::signal(SIGALRM, SIG_IGN);
  std::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(run_program(kForEver, shell(1)).signal, SIGALRM);
  std::signal(SIGALRM, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, nullptr);
}

// Opening a pipe that nobody reads waits, before the program has even begun.
TEST(Program, APipeThatNobodyReadsIsNotWaitedFor) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  Surroundings surroundings = shell(1);
  surroundings.standard_output = folder / "pipe";
  EXPECT_EQ(run_program({"-c", "exit 0"}, surroundings).signal, SIGALRM);
}

TEST(Program, NoticesADeath) {
  Program program(kForEver, shell(60));
  EXPECT_TRUE(program.running());
  program.send(SIGKILL);
  while (program.running()) {
  }
  EXPECT_EQ(program.wait().signal, SIGKILL);
}

TEST(Program, WhatIsNotThereHasCode127) { EXPECT_EQ(run_program({}, {.program = built("nothing")}).code, 127); }

}  // namespace
}  // namespace lookhere
