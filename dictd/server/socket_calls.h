/*
 * socket_calls - recv(2) and send(2), for the two calls that a lookup costs.
 *
 * In a program with threads, glibc makes every call that may block a point of
 * cancellation (pthread_setcancelstate(3)), at the price of two locked
 * instructions before it and after it: together a thirtieth of a cached answer.
 * No thread is cancelled here. Where the system has another way in, it is taken.
 *
 * Never a SIGPIPE. Result and errno as theirs. Threads: any.
 */
#ifndef DICTD_SERVER_SOCKET_CALLS_H
#define DICTD_SERVER_SOCKET_CALLS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the program ignores SIGPIPE */
#endif

static inline ssize_t socket_recv(int fd, void *bytes, size_t size)
{
#ifdef SYS_recvfrom
    return syscall(SYS_recvfrom, fd, bytes, size, 0, NULL, NULL);
#else
    return recv(fd, bytes, size, 0);
#endif
}

static inline ssize_t socket_send(int fd, const void *bytes, size_t len)
{
#ifdef SYS_sendto
    return syscall(SYS_sendto, fd, bytes, len, MSG_NOSIGNAL, NULL, 0);
#else
    return send(fd, bytes, len, MSG_NOSIGNAL);
#endif
}

#endif
