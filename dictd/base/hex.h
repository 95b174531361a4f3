/* hex - hexadecimal digits. Threads: any. */
#ifndef DICTD_BASE_HEX_H
#define DICTD_BASE_HEX_H

/* -1: it is none. Of either case, in any locale. */
static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
