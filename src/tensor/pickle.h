/* pickle: Python's pickles read as data; nothing in them is ever executed.
 *
 * A pickle is a program that builds objects by calling what it names. Here it becomes a tree: a
 * call stays a node with what would have been called and its arguments, and names that are not
 * expected are refused. Protocols 2 to 5, without the opcodes that PyTorch's files do not have.
 * Source: CPython, Lib/pickletools.py.
 */
#ifndef CG_TENSOR_PICKLE_H
#define CG_TENSOR_PICKLE_H

#include <glib.h>

typedef enum {
    CG_PICKLED_NONE,
    CG_PICKLED_NUMBER, /* integers and booleans */
    CG_PICKLED_REAL,
    CG_PICKLED_TEXT,  /* strings and bytes */
    CG_PICKLED_TUPLE, /* items */
    CG_PICKLED_LIST,  /* items */
    CG_PICKLED_DICT,  /* items: key, value, key, value, ... */
    CG_PICKLED_NAME,  /* text: "collections OrderedDict" */
    CG_PICKLED_CALL,  /* callee(args); items as of a dict: what was put into the result */
    CG_PICKLED_OTHER, /* args: the persistent id of an object that is kept elsewhere */
} CgPickledKind;

typedef struct CgPickled CgPickled;
struct CgPickled {
    CgPickledKind kind;
    gint64 number;
    double real;
    const char *text; /* NUL-terminated; may hold more NULs: LENGTH counts */
    gsize length;
    const CgPickled *callee, *args;
    GPtrArray *items; /* of const CgPickled * */
};

typedef struct CgPickle CgPickle;

/* The pickle that begins at DATA; *USED (nullable) gets its length. ALLOWED: the names that it may
 * use, ended by NULL. CG_ERROR_FORMAT for what is broken, CG_ERROR_UNSUPPORTED for other names and
 * opcodes, both beginning with WHERE. What lists and dicts hold may hold them in turn. */
CgPickle *cg_pickle_parse(const guint8 *data, gsize size, const char *const *allowed,
                          const char *where, gsize *used, GError **error);
void cg_pickle_free(CgPickle *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgPickle, cg_pickle_free)

const CgPickled *cg_pickle_root(const CgPickle *p);
/* All CG_PICKLED_OTHER in it, in the order of the file; borrowed. */
const GPtrArray *cg_pickle_others(const CgPickle *p);

#endif
