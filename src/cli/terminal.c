// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/terminal.h"

#define USUAL_WIDTH  80
#define USUAL_HEIGHT 24

/* The second page, which keeps what is on the first one; and the cursor. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int crashing[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

static volatile sig_atomic_t ended, stopped, changed;
static volatile sig_atomic_t entered;
static struct termios saved;
static bool has_keys; /* standard input is a terminal, and `saved` is how it was */
static sigset_t waiting;

/* One in the background, as by `&` or `timeout`, would be stopped when it asks for keys. */
static bool in_foreground(void)
{
	pid_t foreground = tcgetpgrp(STDOUT_FILENO);

	return foreground < 0 || foreground == getpgrp();
}

bool terminal_is_screen(void)
{
	const char *kind = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && kind && *kind && strcmp(kind, "dumb") != 0 &&
	       in_foreground();
}

/* write(2) whatever it returns: what cannot be written to a terminal that is gone does not matter. */
static void put(const char *text, size_t length)
{
	ssize_t ignored = write(STDOUT_FILENO, text, length);

	(void)ignored;
}

static void enter_screen(void)
{
	struct termios keys = saved;

	if (has_keys) {
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 1;
		keys.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &keys);
	}
	put(ENTER, strlen(ENTER));
	entered = 1;
}

/* Async-signal-safe. */
static void leave_screen(void)
{
	if (!entered)
		return;
	entered = 0;
	put(LEAVE, sizeof(LEAVE) - 1);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void note_signal(int number)
{
	if (number == SIGWINCH || number == SIGCONT)
		changed = 1;
	else if (number == SIGTSTP)
		stopped = 1;
	else
		ended = 1;
}

/* SA_RESETHAND: raised once more, the signal does what it does without a handler. */
static void crash(int number)
{
	leave_screen();
	raise(number);
}

static void handle(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

/* Those that terminal_wait() waits for are blocked elsewhere, so that none comes between two steps. */
static void catch_signals(void)
{
	static const int others[] = {SIGTSTP, SIGCONT, SIGWINCH};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		handle(ending[i], note_signal, 0);
		sigaddset(&blocked, ending[i]);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		handle(others[i], note_signal, 0);
		sigaddset(&blocked, others[i]);
	}
	for (size_t i = 0; i < sizeof(crashing) / sizeof(crashing[0]); i++)
		handle(crashing[i], crash, (int)SA_RESETHAND);
	handle(SIGPIPE, SIG_IGN, 0);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	/* whoever started the program may have blocked them */
	for (int number = 1; number < NSIG; number++) {
		if (sigismember(&blocked, number) == 1)
			sigdelset(&waiting, number);
	}
}

void terminal_open(void)
{
	has_keys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &saved) == 0;
	catch_signals();
	atexit(leave_screen);
	enter_screen();
}

void terminal_close(void)
{
	leave_screen();
}

void terminal_size(unsigned int *width, unsigned int *height)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	*width = size.ws_col ? size.ws_col : USUAL_WIDTH;
	*height = size.ws_row ? size.ws_row : USUAL_HEIGHT;
}

/* Gives the terminal back, and stops as without a handler; takes it again when the program goes on. */
static void stop_here(void)
{
	leave_screen();
	raise(SIGSTOP);
	enter_screen();
}

/* Is the key one that ends the program, or is the terminal gone? */
static bool key_ends(void)
{
	char key;
	ssize_t got = read(STDIN_FILENO, &key, 1);

	return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN) ||
	       (got == 1 && (key == 'q' || key == 'Q'));
}

enum terminal_event terminal_wait(int64_t until)
{
	struct pollfd keys = {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN};

	for (;;) {
		int64_t left = until - clock_ms();
		struct timespec timeout = {0};
		int ready;

		if (left > 0)
			timeout = (struct timespec){.tv_sec = left / 1000,
						    .tv_nsec = left % 1000 * 1000000};
		ready = ppoll(&keys, 1, &timeout, &waiting);
		if (ended || (ready > 0 && key_ends()))
			return TERMINAL_END;
		if (stopped) {
			stopped = 0;
			stop_here();
			changed = 1;
		}
		if (changed) {
			changed = 0;
			/* after SIGSTOP, of which nobody is told, a shell may have left the page */
			put(ENTER, strlen(ENTER));
			return TERMINAL_REDRAW;
		}
		if (left <= 0)
			return TERMINAL_TIMEOUT;
	}
}
