/* See ldap_fault.h. */
#include "sources/ldap/ldap_fault.h"

#include <ldap.h>

enum backend_fault ldap_fault_classify(int code)
{
    switch (code) {
    case LDAP_SUCCESS:
    case LDAP_NO_SUCH_OBJECT:
        return BACKEND_FAULT_NONE;
    case LDAP_SERVER_DOWN:
    case LDAP_LOCAL_ERROR:
    case LDAP_DECODING_ERROR:
    case LDAP_PROTOCOL_ERROR: /* out of step; where it is not, asking twice does no harm */
        return BACKEND_FAULT_CONNECTION;
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
    case LDAP_UNWILLING_TO_PERFORM:
    case LDAP_OPERATIONS_ERROR: /* Active Directory's word for "bind first" */
    case LDAP_OTHER:
        return BACKEND_FAULT_SERVER;
    case LDAP_TIMEOUT:
    case LDAP_TIMELIMIT_EXCEEDED:
        return BACKEND_FAULT_TIMEOUT;
    default:
        return BACKEND_FAULT_KEY;
    }
}

void ldap_fault_describe(struct buf *out, int code)
{
    buf_printf(out, "LDAP: %s (%d)", ldap_err2string(code), code);
}
