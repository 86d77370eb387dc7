/* cagen evaluate: cells side by side. A process for each: trainings share nothing, and one that is
 * killed for its memory takes no other with it. */
#include "cli/evaluate.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MICROSECONDS 20000

typedef struct {
    pid_t pid; /* 0: none */
    char *name, *log;
} Job;

static void job_clear(Job *job)
{
    g_free(job->name);
    g_free(job->log);
    *job = (Job){0};
}

/* In the child: never returns. */
static void become(char *const *arguments, const char *log, pid_t parent)
{
    const int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    /* Whoever kills the parent means all of us; the training keeps its state. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(1);
    execv("/proc/self/exe", arguments);
    _exit(1);
}

static gboolean start(Job *job, const CgExperiment *x, const CgCell *cell, int threads,
                      char *const *argv, GError **error)
{
    g_autofree char *name = cg_experiment_cell_name(cell);
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    g_autofree char *file = g_strjoinv(".", parts), *ending = g_strconcat(file, ".log", NULL);
    g_autofree char *folder = g_build_filename(x->options.out, "logs", NULL);
    g_autofree char *number = g_strdup_printf("%d", threads);
    const char *const more[] = {"--only",    name,   "--jobs",  "1",
                                "--threads", number, "--quiet", NULL};
    g_autoptr(GPtrArray) arguments = g_ptr_array_new();
    g_ptr_array_add(arguments, (gpointer)(guintptr) "cagen");
    g_ptr_array_add(arguments, (gpointer)(guintptr) "evaluate");
    for (; *argv; argv++)
        g_ptr_array_add(arguments, *argv);
    for (guint i = 0; i < G_N_ELEMENTS(more); i++)
        g_ptr_array_add(arguments, (gpointer)(guintptr)more[i]);
    if (!cg_file_make_directory(folder, error))
        return FALSE;
    job->log = g_build_filename(folder, ending, NULL);
    job->name = g_steal_pointer(&name);
    const pid_t parent = getpid();
    job->pid = fork();
    if (job->pid == 0)
        become((char *const *)arguments->pdata, job->log, parent);
    if (job->pid > 0)
        return TRUE;
    g_set_error(error, CG_ERROR, CG_ERROR_IO, "cannot start another process: %s",
                g_strerror(errno));
    job_clear(job);
    return FALSE;
}

/* The last line of PATH without "cagen: " in front; NULL when there is none. */
static char *last_line(const char *path)
{
    g_autofree char *text = cg_file_read(path, 64 << 20, NULL, NULL);
    if (!text)
        return NULL;
    g_strchomp(text);
    const char *newline = strrchr(text, '\n'), *line = newline ? newline + 1 : text;
    if (g_str_has_prefix(line, "cagen: "))
        line += strlen("cagen: ");
    return *line ? g_utf8_make_valid(line, -1) : NULL;
}

/* FALSE with what the process said, or how it ended. */
static gboolean check_end(const Job *job, int status, GError **error)
{
    g_autofree char *line = last_line(job->log);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return TRUE;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 130)
        g_set_error(error, CG_ERROR, CG_ERROR_CANCELLED, "stopped; the same command goes on");
    else if (WIFSIGNALED(status))
        g_set_error(error, CG_ERROR, CG_ERROR_ENGINE, "%s: ended by signal %d (%s)%s", job->name,
                    WTERMSIG(status), strsignal(WTERMSIG(status)),
                    WTERMSIG(status) == SIGKILL ? "; was there too little memory? fewer --jobs "
                                                  "take less"
                                                : "");
    else
        g_set_error(error, CG_ERROR,
                    WIFEXITED(status) && WEXITSTATUS(status) == 2 ? CG_ERROR_USAGE
                                                                  : CG_ERROR_ENGINE,
                    "%s: %s", job->name, line ? line : "failed without a word");
    return FALSE;
}

static guint running(const Job *jobs, guint count)
{
    guint n = 0;
    for (guint i = 0; i < count; i++)
        n += jobs[i].pid != 0;
    return n;
}

/* Waits until one of JOBS has ended. Ctrl-C reaches all of us, a kill the parent alone: it is
 * handed on. */
static Job *wait_for_one(Job *jobs, guint count, gboolean *told, int *status)
{
    for (;; g_usleep(POLL_MICROSECONDS)) {
        for (guint i = 0; i < count; i++)
            if (jobs[i].pid && waitpid(jobs[i].pid, status, WNOHANG) != 0)
                return &jobs[i];
        for (guint i = 0; i < count && cg_cancelled() && !*told; i++)
            if (jobs[i].pid)
                kill(jobs[i].pid, SIGTERM);
        *told = cg_cancelled();
    }
}

gboolean cg_cli_evaluate_jobs(const CgExperiment *x, const GArray *cells, guint jobs, int threads,
                              char *const *argv, CgCliCellDone done, void *data, GError **error)
{
    g_autofree Job *all = g_new0(Job, jobs);
    g_autoptr(GError) failed = NULL;
    gboolean told = FALSE;
    guint next = 0, finished = 0;
    for (;;) {
        while (!failed && !cg_cancelled() && next < cells->len && running(all, jobs) < jobs) {
            Job *free_job = all;
            while (free_job->pid)
                free_job++;
            start(free_job, x, &g_array_index(cells, CgCell, next++), threads, argv, &failed);
        }
        int status = 0;
        if (running(all, jobs) == 0)
            break;
        Job *job = wait_for_one(all, jobs, &told, &status);
        GError *mine = NULL;
        if (check_end(job, status, &mine))
            done(data, ++finished, &mine);
        job_clear(job);
        if (mine && !failed)
            failed = mine;
        else
            g_clear_error(&mine);
    }
    if (!failed)
        return cg_cancel_check(error);
    g_propagate_error(error, g_steal_pointer(&failed));
    return FALSE;
}
