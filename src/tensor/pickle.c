#include "tensor/pickle.h"

#include "base/error.h"

#include <string.h>

#define MAX_BYTES  (64u << 20)
#define MAX_VALUES (1u << 21) /* a file of 100,000 tensors has fewer */

/* Opcodes, by CPython's names. */
enum {
    PROTO = 0x80,
    FRAME = 0x95,
    STOP = '.',
    POP = '0',
    DUP = '2',
    MARK = '(',
    POP_MARK = '1',
    NONE = 'N',
    NEWTRUE = 0x88,
    NEWFALSE = 0x89,
    BININT = 'J',
    BININT1 = 'K',
    BININT2 = 'M',
    LONG1 = 0x8a,
    BINFLOAT = 'G',
    BINUNICODE = 'X',
    SHORT_BINUNICODE = 0x8c,
    BINUNICODE8 = 0x8d,
    BINSTRING = 'T',
    SHORT_BINSTRING = 'U',
    BINBYTES = 'B',
    SHORT_BINBYTES = 'C',
    BINBYTES8 = 0x8e,
    EMPTY_TUPLE = ')',
    TUPLE = 't',
    TUPLE1 = 0x85,
    TUPLE2 = 0x86,
    TUPLE3 = 0x87,
    EMPTY_LIST = ']',
    APPEND = 'a',
    APPENDS = 'e',
    EMPTY_DICT = '}',
    SETITEM = 's',
    SETITEMS = 'u',
    BINPUT = 'q',
    LONG_BINPUT = 'r',
    MEMOIZE = 0x94,
    BINGET = 'h',
    LONG_BINGET = 'j',
    GLOBAL = 'c',
    STACK_GLOBAL = 0x93,
    BINPERSID = 'Q',
    REDUCE = 'R',
    NEWOBJ = 0x81,
    BUILD = 'b',
};

struct CgPickle {
    GPtrArray *values; /* of CgPickled: all there are */
    GStringChunk *strings;
    GPtrArray *others;
    const CgPickled *root;
};

/* A pickle being read. */
typedef struct {
    CgPickle *pickle;
    const guint8 *data;
    gsize size, at;
    const char *const *allowed;
    const char *where;
    GPtrArray *stack; /* of CgPickled */
    GPtrArray *memo;  /* of CgPickled, or NULL */
    GArray *marks;    /* of guint: heights of the stack */
    gboolean stopped;
} Reader;

static void value_free(gpointer data)
{
    CgPickled *v = data;
    if (v->items)
        g_ptr_array_unref(v->items);
    g_free(v);
}

void cg_pickle_free(CgPickle *p)
{
    if (!p)
        return;
    g_ptr_array_unref(p->values);
    g_ptr_array_unref(p->others);
    g_string_chunk_free(p->strings);
    g_free(p);
}

const CgPickled *cg_pickle_root(const CgPickle *p)
{
    return p->root;
}

const GPtrArray *cg_pickle_others(const CgPickle *p)
{
    return p->others;
}

static gboolean broken(const Reader *r, const char *what, GError **error)
{
    g_set_error(error, CG_ERROR, CG_ERROR_FORMAT, "%s: broken pickle, %s (at byte %zu)", r->where,
                what, r->at);
    return FALSE;
}

/* ---- bytes */

static gboolean take_bytes(Reader *r, guint64 count, const guint8 **bytes, GError **error)
{
    if (count > r->size - r->at)
        return broken(r, "it ends in the middle", error);
    *bytes = r->data + r->at;
    r->at += (gsize)count;
    return TRUE;
}

/* A little-endian number of COUNT bytes, 8 at most. */
static gboolean take_number(Reader *r, gsize count, guint64 *number, GError **error)
{
    const guint8 *bytes;
    if (!take_bytes(r, count, &bytes, error))
        return FALSE;
    *number = 0;
    for (gsize i = count; i > 0; i--)
        *number = *number << 8 | bytes[i - 1];
    return TRUE;
}

/* The text up to the next end of line. */
static gboolean take_line(Reader *r, const guint8 **line, gsize *length, GError **error)
{
    const guint8 *end = memchr(r->data + r->at, '\n', r->size - r->at);
    if (!end)
        return broken(r, "it ends in the middle", error);
    *line = r->data + r->at;
    *length = (gsize)(end - *line);
    r->at += *length + 1;
    return TRUE;
}

/* ---- the stack */

static CgPickled *push_new(Reader *r, CgPickledKind kind, GError **error)
{
    if (r->pickle->values->len >= MAX_VALUES) {
        broken(r, "it has too many objects", error);
        return NULL;
    }
    CgPickled *v = g_new0(CgPickled, 1);
    v->kind = kind;
    if (kind == CG_PICKLED_TUPLE || kind == CG_PICKLED_LIST || kind == CG_PICKLED_DICT ||
        kind == CG_PICKLED_CALL)
        v->items = g_ptr_array_new();
    g_ptr_array_add(r->pickle->values, v);
    g_ptr_array_add(r->stack, v);
    return v;
}

/* The height below which the stack must not be taken from. */
static guint floor_of(const Reader *r)
{
    return r->marks->len ? g_array_index(r->marks, guint, r->marks->len - 1) : 0;
}

static CgPickled *pop(Reader *r, GError **error)
{
    if (r->stack->len <= floor_of(r)) {
        broken(r, "the stack is empty", error);
        return NULL;
    }
    return g_ptr_array_steal_index(r->stack, r->stack->len - 1);
}

static CgPickled *top(Reader *r, GError **error)
{
    CgPickled *v = pop(r, error);
    if (v)
        g_ptr_array_add(r->stack, v);
    return v;
}

static gboolean push_text(Reader *r, guint64 length, GError **error)
{
    const guint8 *bytes;
    CgPickled *v =
        take_bytes(r, length, &bytes, error) ? push_new(r, CG_PICKLED_TEXT, error) : NULL;
    if (!v)
        return FALSE;
    v->text = g_string_chunk_insert_len(r->pickle->strings, (const char *)bytes, (gssize)length);
    v->length = (gsize)length;
    return TRUE;
}

/* A text whose length is a number of COUNT bytes. */
static gboolean read_text(Reader *r, gsize count, GError **error)
{
    guint64 length;
    return take_number(r, count, &length, error) && push_text(r, length, error);
}

static gboolean push_number(Reader *r, gint64 number, GError **error)
{
    CgPickled *v = push_new(r, CG_PICKLED_NUMBER, error);
    if (v)
        v->number = number;
    return v != NULL;
}

/* A signed number of COUNT bytes, or, not IS_SIGNED, one without sign. */
static gboolean read_number(Reader *r, gsize count, gboolean is_signed, GError **error)
{
    guint64 bits;
    if (count > 8)
        return broken(r, "a number has more than 64 bits", error);
    if (!take_number(r, count, &bits, error))
        return FALSE;
    if (is_signed && count > 0 && count < 8 && bits >> (8 * count - 1))
        bits |= ~(guint64)0 << 8 * count;
    return push_number(r, (gint64)bits, error);
}

static gboolean read_long(Reader *r, GError **error)
{
    guint64 count;
    return take_number(r, 1, &count, error) && read_number(r, (gsize)count, TRUE, error);
}

static gboolean read_real(Reader *r, GError **error)
{
    const guint8 *bytes;
    guint64 bits = 0;
    CgPickled *v = take_bytes(r, 8, &bytes, error) ? push_new(r, CG_PICKLED_REAL, error) : NULL;
    for (int i = 0; v && i < 8; i++)
        bits = bits << 8 | bytes[i];
    if (v)
        memcpy(&v->real, &bits, sizeof bits);
    return v != NULL;
}

/* ---- lists, tuples, dicts */

/* Moves what is above height FROM to the end of V's items. */
static void move_items(Reader *r, guint from, CgPickled *v)
{
    for (guint i = from; i < r->stack->len; i++)
        g_ptr_array_add(v->items, g_ptr_array_index(r->stack, i));
    g_ptr_array_set_size(r->stack, (gint)from);
}

static gboolean pop_mark(Reader *r, guint *height, GError **error)
{
    if (r->marks->len == 0)
        return broken(r, "a mark is missing", error);
    *height = floor_of(r);
    g_array_set_size(r->marks, r->marks->len - 1);
    return TRUE;
}

/* The last COUNT values as a tuple. */
static gboolean make_tuple(Reader *r, guint count, GError **error)
{
    if (r->stack->len - floor_of(r) < count)
        return broken(r, "the stack is empty", error);
    const guint from = r->stack->len - count;
    CgPickled *v = push_new(r, CG_PICKLED_TUPLE, error);
    if (!v)
        return FALSE;
    g_ptr_array_set_size(r->stack, (gint)r->stack->len - 1);
    move_items(r, from, v);
    g_ptr_array_add(r->stack, v);
    return TRUE;
}

static gboolean make_marked_tuple(Reader *r, GError **error)
{
    guint height;
    return pop_mark(r, &height, error) && make_tuple(r, r->stack->len - height, error);
}

/* The values above HEIGHT go into the list, or in pairs into the dict, below them. */
static gboolean put_items(Reader *r, guint height, gboolean pairs, GError **error)
{
    if (height <= floor_of(r) || height > r->stack->len)
        return broken(r, "there is nothing to put items into", error);
    CgPickled *v = g_ptr_array_index(r->stack, height - 1);
    const gboolean takes_pairs = v->kind == CG_PICKLED_DICT || v->kind == CG_PICKLED_CALL;
    if (pairs ? !takes_pairs : v->kind != CG_PICKLED_LIST)
        return broken(r, "items are put into what is no list or dict", error);
    if (pairs && (r->stack->len - height) % 2)
        return broken(r, "a key has no value", error);
    move_items(r, height, v);
    return TRUE;
}

static gboolean put_marked_items(Reader *r, gboolean pairs, GError **error)
{
    guint height;
    return pop_mark(r, &height, error) && put_items(r, height, pairs, error);
}

/* ---- memo */

static gboolean put_memo(Reader *r, guint64 index, GError **error)
{
    CgPickled *v = top(r, error);
    if (!v)
        return FALSE;
    if (index >= MAX_VALUES)
        return broken(r, "it has too many objects", error);
    if (index >= r->memo->len)
        g_ptr_array_set_size(r->memo, (gint)index + 1);
    g_ptr_array_index(r->memo, index) = v;
    return TRUE;
}

static gboolean get_memo(Reader *r, guint64 index, GError **error)
{
    CgPickled *v = index < r->memo->len ? g_ptr_array_index(r->memo, index) : NULL;
    if (!v)
        return broken(r, "it names an object that was never made", error);
    g_ptr_array_add(r->stack, v);
    return TRUE;
}

static gboolean read_memo(Reader *r, gsize count, gboolean put, GError **error)
{
    guint64 index;
    return take_number(r, count, &index, error) && (put ? put_memo : get_memo)(r, index, error);
}

/* ---- names and calls */

static gboolean push_name(Reader *r, const char *module, gsize module_length, const char *name,
                          gsize length, GError **error)
{
    g_autofree char *a = g_strndup(module, module_length), *b = g_strndup(name, length);
    g_autofree char *both = g_strconcat(a, " ", b, NULL);
    if (!g_strv_contains(r->allowed, both)) {
        g_autofree char *shown = g_strconcat(a, ".", b, NULL);
        g_autofree char *printable = g_strescape(shown, NULL);
        g_set_error(
            error, CG_ERROR, CG_ERROR_UNSUPPORTED,
            "%s: refused: its pickle asks for %.120s, which is not needed for tensors; save "
            "the state dict alone, or convert it to safetensors",
            r->where, printable);
        return FALSE;
    }
    CgPickled *v = push_new(r, CG_PICKLED_NAME, error);
    if (!v)
        return FALSE;
    v->text = g_string_chunk_insert_const(r->pickle->strings, both);
    v->length = strlen(v->text);
    return TRUE;
}

static gboolean read_name(Reader *r, GError **error)
{
    const guint8 *module, *name;
    gsize module_length, length;
    return take_line(r, &module, &module_length, error) && take_line(r, &name, &length, error) &&
           push_name(r, (const char *)module, module_length, (const char *)name, length, error);
}

static gboolean make_name(Reader *r, GError **error)
{
    const CgPickled *name = pop(r, error), *module = name ? pop(r, error) : NULL;
    if (!module)
        return FALSE;
    if (name->kind != CG_PICKLED_TEXT || module->kind != CG_PICKLED_TEXT)
        return broken(r, "a name is no string", error);
    return push_name(r, module->text, module->length, name->text, name->length, error);
}

static gboolean make_call(Reader *r, GError **error)
{
    const CgPickled *args = pop(r, error), *callee = args ? pop(r, error) : NULL;
    if (!callee)
        return FALSE;
    if (callee->kind != CG_PICKLED_NAME || args->kind != CG_PICKLED_TUPLE)
        return broken(r, "it calls what is no name", error);
    CgPickled *v = push_new(r, CG_PICKLED_CALL, error);
    if (!v)
        return FALSE;
    v->callee = callee;
    v->args = args;
    return TRUE;
}

static gboolean make_other(Reader *r, GError **error)
{
    const CgPickled *id = pop(r, error);
    CgPickled *v = id ? push_new(r, CG_PICKLED_OTHER, error) : NULL;
    if (!v)
        return FALSE;
    v->args = id;
    g_ptr_array_add(r->pickle->others, v);
    return TRUE;
}

/* The attributes of an object (a state dict's _metadata) are of no interest. */
static gboolean drop_state(Reader *r, GError **error)
{
    const CgPickled *state = pop(r, error), *object = state ? top(r, error) : NULL;
    if (!object)
        return FALSE;
    return object->kind == CG_PICKLED_CALL || broken(r, "it gives a state to no object", error);
}

/* ---- opcodes */

static gboolean skip_bytes(Reader *r, gsize count, GError **error)
{
    const guint8 *bytes;
    return take_bytes(r, count, &bytes, error);
}

static gboolean drop_to_mark(Reader *r, GError **error)
{
    guint height;
    if (!pop_mark(r, &height, error))
        return FALSE;
    g_ptr_array_set_size(r->stack, (gint)height);
    return TRUE;
}

static gboolean duplicate(Reader *r, GError **error)
{
    CgPickled *v = top(r, error);
    if (v)
        g_ptr_array_add(r->stack, v);
    return v != NULL;
}

static gboolean step(Reader *r, guint op, GError **error)
{
    switch (op) {
    case PROTO:
        return skip_bytes(r, 1, error);
    case FRAME:
        return skip_bytes(r, 8, error);
    case STOP:
        r->stopped = TRUE;
        return TRUE;
    case POP:
        return pop(r, error) != NULL;
    case DUP:
        return duplicate(r, error);
    case MARK:
        g_array_append_val(r->marks, r->stack->len);
        return TRUE;
    case POP_MARK:
        return drop_to_mark(r, error);
    case NONE:
        return push_new(r, CG_PICKLED_NONE, error) != NULL;
    case NEWTRUE:
    case NEWFALSE:
        return push_number(r, op == NEWTRUE, error);
    case BININT:
        return read_number(r, 4, TRUE, error);
    case BININT1:
        return read_number(r, 1, FALSE, error);
    case BININT2:
        return read_number(r, 2, FALSE, error);
    case LONG1:
        return read_long(r, error);
    case BINFLOAT:
        return read_real(r, error);
    case SHORT_BINUNICODE:
    case SHORT_BINSTRING:
    case SHORT_BINBYTES:
        return read_text(r, 1, error);
    case BINUNICODE:
    case BINSTRING:
    case BINBYTES:
        return read_text(r, 4, error);
    case BINUNICODE8:
    case BINBYTES8:
        return read_text(r, 8, error);
    case EMPTY_TUPLE:
        return push_new(r, CG_PICKLED_TUPLE, error) != NULL;
    case TUPLE:
        return make_marked_tuple(r, error);
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
        return make_tuple(r, op - TUPLE1 + 1, error);
    case EMPTY_LIST:
        return push_new(r, CG_PICKLED_LIST, error) != NULL;
    case EMPTY_DICT:
        return push_new(r, CG_PICKLED_DICT, error) != NULL;
    case APPEND:
        return put_items(r, r->stack->len - 1, FALSE, error);
    case APPENDS:
        return put_marked_items(r, FALSE, error);
    case SETITEM:
        return put_items(r, r->stack->len - 2, TRUE, error);
    case SETITEMS:
        return put_marked_items(r, TRUE, error);
    case BINPUT:
        return read_memo(r, 1, TRUE, error);
    case LONG_BINPUT:
        return read_memo(r, 4, TRUE, error);
    case MEMOIZE:
        return put_memo(r, r->memo->len, error);
    case BINGET:
        return read_memo(r, 1, FALSE, error);
    case LONG_BINGET:
        return read_memo(r, 4, FALSE, error);
    case GLOBAL:
        return read_name(r, error);
    case STACK_GLOBAL:
        return make_name(r, error);
    case BINPERSID:
        return make_other(r, error);
    case REDUCE:
    case NEWOBJ:
        return make_call(r, error);
    case BUILD:
        return drop_state(r, error);
    default:
        break;
    }
    g_set_error(error, CG_ERROR, CG_ERROR_UNSUPPORTED,
                "%s: a pickle with the opcode 0x%02x (at byte %zu), which files of tensors do not "
                "have",
                r->where, op, r->at - 1);
    return FALSE;
}

static gboolean run(Reader *r, GError **error)
{
    while (!r->stopped) {
        const guint8 *op;
        if (!take_bytes(r, 1, &op, error) || !step(r, *op, error))
            return FALSE;
    }
    r->pickle->root = top(r, error);
    return r->pickle->root != NULL;
}

CgPickle *cg_pickle_parse(const guint8 *data, gsize size, const char *const *allowed,
                          const char *where, gsize *used, GError **error)
{
    g_autoptr(CgPickle) p = g_new0(CgPickle, 1);
    p->values = g_ptr_array_new_with_free_func(value_free);
    p->strings = g_string_chunk_new(4096);
    p->others = g_ptr_array_new();
    Reader r = {.pickle = p,
                .data = data,
                .size = MIN(size, MAX_BYTES),
                .allowed = allowed,
                .where = where,
                .stack = g_ptr_array_new(),
                .memo = g_ptr_array_new(),
                .marks = g_array_new(FALSE, FALSE, sizeof(guint))};
    const gboolean ok = run(&r, error);
    g_ptr_array_unref(r.stack);
    g_ptr_array_unref(r.memo);
    g_array_unref(r.marks);
    if (used)
        *used = r.at;
    return ok ? g_steal_pointer(&p) : NULL;
}
