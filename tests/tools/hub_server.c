/* hub_server: a model hub in small, with the faults that networks have.
 *
 *     hub_server FOLDER LOG
 *
 * Serves the files below FOLDER as the contents of every model; the organisation in a model's name
 * chooses the fault. Prints "http://127.0.0.1:PORT" and runs until standard input ends. Every
 * request is a line in LOG: "hub|cdn METHOD PATH range=N|- token=TOKEN|-".
 *
 *     plain       nothing is wrong
 *     cdn         large files are elsewhere (http://localhost:OTHER_PORT), as hubs have it
 *     cut         the connection ends in the middle, for the first three requests of a file
 *     cutsilent   the same, and no Content-Length told what should come
 *     nolength    no Content-Length, the end of the connection is the end of the file
 *     norange     every answer is the whole file
 *     wrongrange  answers begin at another byte than asked for, once
 *     flaky       503 twice for each file, then the file
 *     broken      always 500
 *     slow        a few bytes and then silence, once for each file
 *     stuck       a few bytes and then silence, always
 *     wrong       other bytes than those announced
 *     wrongonce   the same, once for each file
 *     longer      more bytes than announced
 *     gated       the terms must be accepted: 403 unless the token is "good"
 *     private     401 unless the token is "good"
 *     absent      404
 *     loop        redirects without end
 *     evil        a listing with a path that leads out of the folder
 *     garbage     a listing that is no JSON
 */
#include <arpa/inet.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMIT  "0123456789abcdef0123456789abcdef01234567"
#define PATTERN 997 /* bytes before silence */

typedef struct {
    const char *name;
    int socket, port;
} Listener;

static const char *root;
static FILE *log_file;
static Listener hub = {.name = "hub"}, cdn = {.name = "cdn"};
static GHashTable *visits; /* path -> how often it was asked for */
static char *files_json;   /* all files, in the listing's form */
static GMutex lock;

typedef struct {
    const Listener *at;
    int fd;
    char *path, *token; /* token NULL: none */
    gint64 range;       /* -1: none */
    char *organisation;
    guint visit; /* 0 for the first */
} Request;

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

static void answer(const Request *r, const char *status, const char *headers, const char *body)
{
    g_autofree char *text =
        g_strdup_printf("HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s",
                        status, strlen(body), headers, body);
    send_all(r->fd, text, strlen(text));
}

/* ---- the listing */

static void add_files(GString *json, const char *below)
{
    g_autofree char *folder = g_build_filename(root, below, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = *below ? g_build_filename(below, name, NULL) : g_strdup(name);
        g_autofree char *full = g_build_filename(root, path, NULL);
        g_autofree char *bytes = NULL;
        size_t size = 0;
        if (g_file_test(full, G_FILE_TEST_IS_DIR)) {
            add_files(json, path);
            continue;
        }
        if (!g_file_get_contents(full, &bytes, &size, NULL))
            continue;
        g_autoptr(GChecksum) git = g_checksum_new(G_CHECKSUM_SHA1);
        g_autofree char *begin = g_strdup_printf("blob %zu", size);
        g_checksum_update(git, (const guchar *)begin, (gssize)strlen(begin) + 1);
        g_checksum_update(git, (const guchar *)bytes, (gssize)size);
        g_autofree char *sha =
            g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bytes, size);
        g_string_append_printf(json, "%s{\"rfilename\":\"%s\",\"size\":%zu,\"blobId\":\"%s\"",
                               json->len ? "," : "", path, size, g_checksum_get_string(git));
        if (g_str_has_suffix(name, ".safetensors") || g_str_has_suffix(name, ".bin"))
            g_string_append_printf(json, ",\"lfs\":{\"sha256\":\"%s\",\"size\":%zu}", sha, size);
        g_string_append(json, "}");
    }
}

static void send_listing(const Request *r)
{
    g_autoptr(GString) json = g_string_new("{\"sha\":\"" COMMIT "\",\"siblings\":[");
    if (g_str_equal(r->organisation, "garbage"))
        g_string_assign(json, "<html>");
    g_string_append(json, files_json);
    if (g_str_equal(r->organisation, "evil"))
        g_string_append(json, ",{\"rfilename\":\"unet/../../../escaped\",\"size\":3,\"blobId\":"
                              "\"" COMMIT "\"}");
    g_string_append(json, "]}");
    answer(r, "200 OK", "Content-Type: application/json\r\n", json->str);
}

/* ---- files */

static gboolean is(const Request *r, const char *fault)
{
    return g_str_equal(r->organisation, fault);
}

/* BYTES from where they were asked for, with the fault. */
static void send_bytes(const Request *r, char *bytes, size_t size)
{
    const gboolean ranged = r->range > 0 && (size_t)r->range < size && !is(r, "norange");
    size_t first = ranged ? (size_t)r->range : 0, count = size - first;
    g_autoptr(GString) head =
        g_string_new(ranged ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n");
    if (is(r, "wrongrange") && ranged && r->visit < 2)
        first = 0, count = size;
    if (ranged)
        g_string_append_printf(head, "Content-Range: bytes %zu-%zu/%zu\r\n", first, size - 1, size);
    if (!is(r, "nolength") && !is(r, "cutsilent") && !is(r, "longer"))
        g_string_append_printf(head, "Content-Length: %zu\r\n", count);
    g_string_append(head, "Connection: close\r\n\r\n");
    send_all(r->fd, head->str, head->len);
    if (is(r, "wrong") || (is(r, "wrongonce") && r->visit == 0))
        bytes[size / 2] ^= 1;
    if (((is(r, "cut") || is(r, "cutsilent")) && r->visit < 3) ||
        ((is(r, "norange") || is(r, "wrongrange")) && r->visit == 0))
        count /= 2;
    if (is(r, "stuck") || (is(r, "slow") && r->visit == 0)) {
        send_all(r->fd, bytes + first, MIN(count, PATTERN));
        sleep(30);
        return;
    }
    send_all(r->fd, bytes + first, count);
    if (is(r, "longer"))
        send_all(r->fd, "and more", 8);
}

static void send_file(const Request *r, const char *path)
{
    g_autofree char *full = g_build_filename(root, path, NULL);
    g_autofree char *bytes = NULL;
    size_t size = 0;
    if (strstr(path, "..") || !g_file_get_contents(full, &bytes, &size, NULL))
        answer(r, "404 Not Found", "X-Error-Code: EntryNotFound\r\n", "Entry not found");
    else
        send_bytes(r, bytes, size);
}

static gboolean refuse(const Request *r)
{
    const gboolean good = g_strcmp0(r->token, "good") == 0;
    if (is(r, "gated") && !good)
        answer(r, "403 Forbidden", "X-Error-Code: GatedRepo\r\n", "Access is restricted");
    else if (is(r, "private") && !good)
        answer(r, "401 Unauthorized", "", "Invalid username or password.");
    else if (is(r, "absent"))
        answer(r, "404 Not Found", "X-Error-Code: RepoNotFound\r\n", "Repository not found");
    else if (is(r, "flaky") && r->visit < 2)
        answer(r, "503 Service Unavailable", "", "busy");
    else if (is(r, "broken"))
        answer(r, "500 Internal Server Error", "", "something went wrong");
    else
        return FALSE;
    return TRUE;
}

/* /api/models/ORG/NAME/revision/main, /ORG/NAME/resolve/COMMIT/PATH, or on the other host
 * /cdn/ORG/PATH. */
static void serve(Request *r)
{
    g_auto(GStrv) parts = g_strsplit(r->path, "/", 6);
    const guint count = g_strv_length(parts);
    const gboolean api = count > 3 && g_str_equal(parts[1], "api");
    r->organisation = g_strdup(api ? parts[3] : count > 2 ? parts[r->at == &cdn ? 2 : 1] : "");
    if (r->at == &cdn) {
        send_file(r, strstr(r->path + strlen("/cdn/"), "/") + 1);
        return;
    }
    if (is(r, "loop")) {
        g_autofree char *to = g_strdup_printf("Location: %s\r\n", r->path);
        answer(r, "302 Found", to, "");
        return;
    }
    if (refuse(r))
        return;
    if (api && strstr(r->path, "/revision/nosuch"))
        answer(r, "404 Not Found", "X-Error-Code: RevisionNotFound\r\n", "");
    else if (api)
        send_listing(r);
    else if (count == 6 && is(r, "cdn") && g_str_has_suffix(r->path, ".safetensors")) {
        g_autofree char *to = g_strdup_printf("Location: http://localhost:%d/cdn/%s/%s\r\n",
                                              cdn.port, r->organisation, parts[5]);
        answer(r, "302 Found", to, "elsewhere");
    } else if (count == 6)
        send_file(r, parts[5]);
    else
        answer(r, "404 Not Found", "", "");
}

/* ---- connections */

/* Reads the head of a request; FALSE when it is none. */
static gboolean read_request(Request *r)
{
    g_autoptr(GString) head = g_string_new(NULL);
    char byte;
    while (!g_str_has_suffix(head->str, "\r\n\r\n")) {
        if (head->len > 65536 || recv(r->fd, &byte, 1, 0) != 1)
            return FALSE;
        g_string_append_c(head, byte);
    }
    g_auto(GStrv) lines = g_strsplit(head->str, "\r\n", -1);
    g_auto(GStrv) first = g_strsplit(lines[0], " ", 3);
    r->range = -1;
    for (char **line = lines + 1; *line; line++) {
        if (g_ascii_strncasecmp(*line, "range: bytes=", 13) == 0)
            r->range = g_ascii_strtoll(*line + 13, NULL, 10);
        if (g_ascii_strncasecmp(*line, "authorization: bearer ", 22) == 0)
            r->token = g_strdup(*line + 22);
    }
    r->path = g_strdup(g_strv_length(first) == 3 ? first[1] : "/");
    g_autofree char *range = g_strdup_printf("%" G_GINT64_FORMAT, r->range);
    g_mutex_lock(&lock);
    r->visit = GPOINTER_TO_UINT(g_hash_table_lookup(visits, r->path));
    g_hash_table_insert(visits, g_strdup(r->path), GUINT_TO_POINTER(r->visit + 1));
    fprintf(log_file, "%s %s %s range=%s token=%s\n", r->at->name, first[0], r->path,
            r->range < 0 ? "-" : range, r->token ? r->token : "-");
    fflush(log_file);
    g_mutex_unlock(&lock);
    return TRUE;
}

static void *handle(void *data)
{
    Request *r = data;
    if (read_request(r))
        serve(r);
    shutdown(r->fd, SHUT_WR);
    close(r->fd);
    g_free(r->path);
    g_free(r->token);
    g_free(r->organisation);
    g_free(r);
    return NULL;
}

static void *listen_on(void *data)
{
    const Listener *at = data;
    for (;;) {
        Request *r = g_new0(Request, 1);
        r->at = at;
        r->fd = accept(at->socket, NULL, NULL);
        if (r->fd < 0)
            exit(1);
        g_thread_unref(g_thread_new("request", handle, r));
    }
    return NULL;
}

static void open_listener(Listener *at)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    at->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (at->socket < 0 || bind(at->socket, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(at->socket, 16) != 0 ||
        getsockname(at->socket, (struct sockaddr *)&address, &size) != 0) {
        perror("hub_server");
        exit(1);
    }
    at->port = ntohs(address.sin_port);
    g_thread_unref(g_thread_new(at->name, listen_on, at));
}

int main(int argc, char **argv)
{
    char byte;
    if (argc != 3 || !(log_file = fopen(argv[2], "w"))) {
        fprintf(stderr, "usage: hub_server FOLDER LOG\n");
        return 2;
    }
    root = argv[1];
    signal(SIGPIPE, SIG_IGN);
    visits = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) json = g_string_new(NULL);
    add_files(json, "");
    files_json = json->str;
    open_listener(&cdn);
    open_listener(&hub);
    printf("http://127.0.0.1:%d\n", hub.port);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
