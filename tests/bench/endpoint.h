/*
 * Endpoints of the benchmark's programs: "unix:/path", "inet:host:port", "inet:[v6]:port".
 *
 * The benchmark shares no code with the daemon, so that a mistake there cannot hide here.
 * Both calls give back a descriptor that the caller owns, or -1 after a message on stderr.
 */
#ifndef TESTS_BENCH_ENDPOINT_H
#define TESTS_BENCH_ENDPOINT_H

/* Connects, waiting until it is done. The descriptor is in blocking mode. */
int endpoint_connect(const char *endpoint);

/* Listens; a socket file that is in the way is removed. */
int endpoint_listen(const char *endpoint);

/* Puts a descriptor in non-blocking mode; 0, or -1 with errno. */
int endpoint_set_nonblocking(int fd);

/* Switches Nagle's algorithm off, where there is one. */
void endpoint_set_nodelay(int fd);

/* Raises the limit on open files to at least the given number, or as far as is allowed. */
void endpoint_raise_file_limit(unsigned long wanted);

#endif
