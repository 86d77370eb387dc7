/* http: downloads that survive bad connections. The only place that sees libcurl.
 *
 * A transfer that fails for a reason that may pass (cut or silent connections, 429, 5xx) is tried
 * again after a pause that doubles, from the byte it had come to; attempts that got further do not
 * count. Redirects are followed; the token goes to the scheme, host and port that it was given for
 * and to nobody else, and from https nothing is followed to http. Ctrl-C ends everything within a
 * second (CG_ERROR_CANCELLED).
 */
#ifndef CG_HUB_HTTP_H
#define CG_HUB_HTTP_H

#include <glib.h>

typedef struct {
    const char *endpoint; /* whom the token is for: "https://host:port" */
    const char *token;    /* NULL: none */
    int timeout;          /* seconds to connect, and seconds without a byte */
    int retries;
    double pause; /* seconds before the first retry */
} CgHttpSettings;

typedef struct CgHttp CgHttp;

CgHttp *cg_http_new(const CgHttpSettings *settings);
void cg_http_free(CgHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgHttp, cg_http_free)

/* Whom a download goes to. */
typedef struct {
    void *data;
    guint64 want; /* bytes of the whole, or G_MAXUINT64: not known */
    /* How many bytes are there: a transfer begins behind them. */
    guint64 (*have)(void *data);
    /* Forgets them: the server sends all from the start. */
    gboolean (*restart)(void *data, GError **error);
    gboolean (*write)(void *data, const void *bytes, size_t size, GError **error);
} CgHttpReceiver;

/* URL to RECEIVER until it has all. Errors name the URL, and say what may help. */
gboolean cg_http_download(CgHttp *http, const char *url, const CgHttpReceiver *receiver,
                          GError **error);

/* URL's contents, at most MAX bytes, NUL-terminated. Free with g_free. */
char *cg_http_get(CgHttp *http, const char *url, size_t max, size_t *size, GError **error);

#endif
