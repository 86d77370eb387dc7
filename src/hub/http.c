#include "hub/http.h"

#include "base/error.h"
#include "base/log.h"
#include "base/system.h"

#include <curl/curl.h>
#include <string.h>

#define MAX_REDIRECTS 10
#define MAX_PAUSE     30.0 /* seconds */
#define MAX_BODY      600  /* bytes of an error's text */

struct CgHttp {
    CURL *curl;
    struct curl_slist *headers; /* with the token, for the endpoint */
    char *endpoint;
    CgHttpSettings settings;
};

static void initialise(void)
{
    static gsize done = 0;
    if (!g_once_init_enter(&done))
        return;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    g_once_init_leave(&done, 1);
}

CgHttp *cg_http_new(const CgHttpSettings *settings)
{
    initialise();
    CgHttp *h = g_new0(CgHttp, 1);
    h->settings = *settings;
    h->endpoint = g_strdup(settings->endpoint);
    h->curl = curl_easy_init();
    if (settings->token) {
        g_autofree char *line = g_strconcat("Authorization: Bearer ", settings->token, NULL);
        h->headers = curl_slist_append(NULL, line);
    }
    return h;
}

void cg_http_free(CgHttp *h)
{
    if (!h)
        return;
    curl_slist_free_all(h->headers);
    curl_easy_cleanup(h->curl);
    g_free(h->endpoint);
    g_free(h);
}

/* One request of a download. */
typedef struct {
    CgHttp *http;
    const char *url; /* as asked for, for messages */
    const CgHttpReceiver *receiver;
    guint64 offset;   /* asked for from here on */
    gboolean begun;   /* bytes of the answer go to the receiver */
    GString *body;    /* what a refusal says */
    char *code;       /* of the hub, for the reason: "GatedRepo" */
    double pause;     /* that the server asks for, seconds */
    gboolean passing; /* the error may pass */
    gboolean silent;  /* nothing came for too long */
    double heard;     /* when the last byte came */
    curl_off_t bytes; /* how many had then */
    GError *error;
} Request;

static void request_clear(Request *r)
{
    g_string_free(r->body, TRUE);
    g_free(r->code);
    g_clear_error(&r->error);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_clear)

/* The value of header LINE when it is NAME's. */
static char *header_value(const char *line, const char *name)
{
    const size_t length = strlen(name);
    if (g_ascii_strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return g_strstrip(g_strdup(line + length + 1));
}

static size_t on_header(char *bytes, size_t size, size_t count, void *data)
{
    Request *r = data;
    g_autofree char *line = g_strndup(bytes, size * count);
    g_autofree char *wait = header_value(line, "retry-after");
    char *code = header_value(line, "x-error-code");
    if (wait)
        r->pause = g_ascii_strtod(wait, NULL);
    if (code) {
        g_free(r->code);
        r->code = code;
    }
    return size * count;
}

/* The byte that an answer with status 206 begins at. */
static guint64 range_begin(CURL *curl)
{
    struct curl_header *header;
    if (curl_easy_header(curl, "content-range", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        !g_str_has_prefix(header->value, "bytes "))
        return G_MAXUINT64;
    return g_ascii_strtoull(header->value + strlen("bytes "), NULL, 10);
}

/* The first bytes of an answer come: do they follow those that are there? */
static gboolean begin(Request *r, long status)
{
    r->begun = TRUE;
    if (status == 206 && range_begin(r->http->curl) == r->offset)
        return TRUE;
    if (!r->receiver->restart(r->receiver->data, &r->error))
        return FALSE;
    if (status == 200) /* all of it: the server knows no ranges */
        return TRUE;
    r->passing = TRUE;
    g_set_error(&r->error, CG_ERROR, CG_ERROR_IO, "%s: the server went on at another byte", r->url);
    return FALSE;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    Request *r = data;
    const CgHttpReceiver *to = r->receiver;
    const size_t length = size * count;
    long status = 0;
    curl_easy_getinfo(r->http->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 && status != 206) {
        if (r->body->len < MAX_BODY)
            g_string_append_len(r->body, bytes, (gssize)MIN(length, MAX_BODY - r->body->len));
        return length;
    }
    if (!r->begun && !begin(r, status))
        return 0;
    const guint64 have = to->have(to->data);
    if (to->want != G_MAXUINT64 && length > to->want - MIN(have, to->want)) {
        g_set_error(&r->error, CG_ERROR, CG_ERROR_FORMAT,
                    "%s: the server sends more than the %" G_GUINT64_FORMAT
                    " bytes that the hub announced",
                    r->url, to->want);
        return 0;
    }
    return to->write(to->data, bytes, length, &r->error) ? length : 0;
}

/* Called about once a second also when nothing comes. libcurl's own limit of speed takes five
 * seconds longer than it says. */
static int on_progress(void *data, curl_off_t total, curl_off_t bytes, curl_off_t up_total,
                       curl_off_t up)
{
    Request *r = data;
    (void)total, (void)up_total, (void)up;
    if (bytes != r->bytes) {
        r->bytes = bytes;
        r->heard = cg_seconds();
    }
    r->silent = cg_seconds() - r->heard > r->http->settings.timeout;
    return r->silent || cg_cancelled();
}

/* Whether URL is of the scheme, host and port of ENDPOINT. */
static gboolean is_endpoint(const char *url, const char *endpoint)
{
    gboolean same = FALSE;
    CURLU *a = curl_url(), *b = curl_url();
    if (!curl_url_set(a, CURLUPART_URL, url, 0) && !curl_url_set(b, CURLUPART_URL, endpoint, 0)) {
        static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
        same = TRUE;
        for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
            char *x = NULL, *y = NULL;
            curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT);
            curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT);
            same = same && x && y && g_ascii_strcasecmp(x, y) == 0;
            curl_free(x);
            curl_free(y);
        }
    }
    curl_url_cleanup(a);
    curl_url_cleanup(b);
    return same;
}

static void prepare(Request *r, const char *url)
{
    CURL *c = r->http->curl;
    const CgHttpSettings *s = &r->http->settings;
    curl_easy_reset(c);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "cagen/" CAGEN_VERSION);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)s->timeout);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, r);
    g_autofree char *range = g_strdup_printf("%" G_GUINT64_FORMAT "-", r->offset);
    if (r->offset > 0)
        curl_easy_setopt(c, CURLOPT_RANGE, range); /* libcurl's own resume refuses status 200 */
    if (is_endpoint(url, r->http->endpoint))
        curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->http->headers);
}

static gboolean may_pass(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
        return TRUE;
    default:
        return FALSE;
    }
}

static gboolean refuse(Request *r, CgErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static gboolean refuse(Request *r, CgErrorCode code, const char *format, ...)
{
    va_list args;
    if (r->error)
        return FALSE;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(&r->error, CG_ERROR, code, "%s: %s", r->url, text);
    return FALSE;
}

/* What STATUS means for who asked. */
static gboolean refuse_status(Request *r, long status)
{
    const gboolean token = r->http->settings.token != NULL;
    const char *may = token ? "see whether the account behind HF_TOKEN may have it"
                            : "if it is not for everybody, set HF_TOKEN";
    r->passing = status == 408 || status == 425 || status == 429 || status >= 500;
    if (g_strcmp0(r->code, "GatedRepo") == 0)
        return refuse(r, CG_ERROR_IO,
                      "the model's owner wants its terms accepted first (status %ld): do that on "
                      "its page%s",
                      status, token ? " with the account behind HF_TOKEN" : ", then set HF_TOKEN");
    if (g_strcmp0(r->code, "RevisionNotFound") == 0)
        return refuse(r, CG_ERROR_MISSING, "the model has no such revision");
    if (status == 401 || status == 403)
        return refuse(r, CG_ERROR_IO, "the hub refuses it (status %ld): %s%s", status,
                      status == 401 ? "there is no such model, or not for everybody; " : "", may);
    if (status == 404)
        return refuse(r, CG_ERROR_MISSING, "there is no such thing (status 404); %s", may);
    g_strstrip(r->body->str);
    return refuse(r, CG_ERROR_IO, "the server answers with status %ld%s%.200s", status,
                  *r->body->str ? ": " : "", r->body->str);
}

/* One request without redirects; *NEXT gets where it points to. */
static gboolean ask(Request *r, const char *url, char **next)
{
    CURL *c = r->http->curl;
    long status = 0;
    char *location = NULL;
    prepare(r, url);
    r->heard = cg_seconds();
    r->bytes = 0;
    const CURLcode code = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (cg_cancelled())
        return g_clear_error(&r->error), cg_cancel_check(&r->error);
    if (r->error)
        return FALSE;
    if (status == 416) { /* what we have is not of this file */
        r->passing = r->receiver->restart(r->receiver->data, &r->error);
        return refuse(r, CG_ERROR_IO, "the server cannot go on at byte %" G_GUINT64_FORMAT,
                      r->offset);
    }
    if (r->silent) {
        r->passing = TRUE;
        return refuse(r, CG_ERROR_IO, "the server said nothing for %d s",
                      r->http->settings.timeout);
    }
    if (code != CURLE_OK) {
        r->passing = may_pass(code);
        return refuse(r, CG_ERROR_IO, "%s%s", curl_easy_strerror(code),
                      code == CURLE_PEER_FAILED_VERIFICATION
                          ? " (is the package ca-certificates installed?)"
                          : "");
    }
    curl_easy_getinfo(c, CURLINFO_REDIRECT_URL, &location);
    if (status >= 300 && status < 400 && location) {
        *next = g_strdup(location);
        return TRUE;
    }
    if (status != 200 && status != 206)
        return refuse_status(r, status);
    return TRUE;
}

/* One attempt, along all redirects. */
static gboolean attempt(Request *r)
{
    const CgHttpReceiver *to = r->receiver;
    g_autofree char *url = g_strdup(r->url);
    for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
        char *next = NULL;
        if (!ask(r, url, &next))
            return FALSE;
        if (next && g_str_has_prefix(url, "https:") && !g_str_has_prefix(next, "https:")) {
            g_free(next);
            return refuse(r, CG_ERROR_IO, "redirected from https to something else");
        }
        if (next) {
            g_free(url);
            url = next;
            continue;
        }
        if (to->want == G_MAXUINT64 || to->have(to->data) == to->want)
            return TRUE;
        r->passing = TRUE;
        return refuse(r, CG_ERROR_IO,
                      "the connection ended after %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                      " bytes",
                      to->have(to->data), to->want);
    }
    return refuse(r, CG_ERROR_IO, "redirected more than %d times", MAX_REDIRECTS);
}

static gboolean wait_for(double seconds, GError **error)
{
    for (const double end = cg_seconds() + seconds; cg_seconds() < end;) {
        if (!cg_cancel_check(error))
            return FALSE;
        g_usleep(20000);
    }
    return TRUE;
}

gboolean cg_http_download(CgHttp *h, const char *url, const CgHttpReceiver *receiver,
                          GError **error)
{
    const CgHttpSettings *s = &h->settings;
    double pause = s->pause;
    for (int failed = 0;;) {
        const guint64 have = receiver->have(receiver->data);
        g_auto(Request) r = {.http = h,
                             .url = url,
                             .receiver = receiver,
                             .offset = have,
                             .body = g_string_new(NULL)};
        if (attempt(&r))
            return TRUE;
        if (receiver->have(receiver->data) > have) {
            failed = 0;
            pause = s->pause;
        }
        if (!r.passing || failed++ == s->retries) {
            g_propagate_error(error, g_steal_pointer(&r.error));
            return FALSE;
        }
        cg_log_detail("%s; trying again", r.error->message);
        if (!wait_for(CLAMP(r.pause, pause, MAX_PAUSE), error))
            return FALSE;
        pause = MIN(2 * pause, MAX_PAUSE);
    }
}

typedef struct {
    GByteArray *bytes;
    size_t max;
    const char *url;
} Memory;

/* Texts are short: a second attempt begins anew. */
static guint64 memory_have(void *data)
{
    (void)data;
    return 0;
}

static gboolean memory_restart(void *data, GError **error)
{
    (void)error;
    g_byte_array_set_size(((Memory *)data)->bytes, 0);
    return TRUE;
}

static gboolean memory_write(void *data, const void *bytes, size_t size, GError **error)
{
    Memory *m = data;
    if (size > m->max - m->bytes->len) {
        g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: more than %zu bytes", m->url, m->max);
        return FALSE;
    }
    g_byte_array_append(m->bytes, bytes, (guint)size);
    return TRUE;
}

char *cg_http_get(CgHttp *h, const char *url, size_t max, size_t *size, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    Memory m = {bytes, max, url};
    const CgHttpReceiver receiver = {&m, G_MAXUINT64, memory_have, memory_restart, memory_write};
    if (!cg_http_download(h, url, &receiver, error))
        return NULL;
    *size = bytes->len;
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}
