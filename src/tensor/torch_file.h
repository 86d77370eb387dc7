/* torch_file: the tensors of a file that torch.save wrote (.pth, .pt, .bin, .ckpt, .pckl).
 *
 * Such a file is a pickle, which Python executes; here it is only read (pickle.h), and a pickle
 * that asks for anything but tensors and containers is refused by name. Both formats are known: the
 * zip archive of PyTorch 1.6 and later, and the one before it.
 *
 * Tensors are called by the keys of the dicts that lead to them, with dots between; a dict called
 * "state_dict" at the top, if there is one, stands for all. What is neither tensor nor dict is
 * passed over. Sources: torch/serialization.py, torch/_utils.py.
 */
#ifndef CG_TENSOR_TORCH_FILE_H
#define CG_TENSOR_TORCH_FILE_H

#include "tensor/safetensors-private.h"

/* Whether DATA begins as such a file does. */
gboolean cg_torch_file_is(const guint8 *data, size_t size);

/* Appends the tensors in DATA (of FILE, which may be NULL) to HEADER's entries, with views into it.
 * Those whose strides are others than a tensor of their shape has are copied to COPIES (of
 * CgTensor), which the entries then point into. FALSE with one line beginning with WHERE. */
gboolean cg_torch_file_read(CgSafetensorsHeader *header, GPtrArray *copies, CgMappedFile *file,
                            const guint8 *data, size_t size, const char *where, GError **error);

#endif
