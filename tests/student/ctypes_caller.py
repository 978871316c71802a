"""Prints a query's vector, and its three nearest documents: caller.py MODEL INDEX QUERY"""
import ctypes, sys

class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 1024)]
class Hit(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("score", ctypes.c_double)]

retort, error = ctypes.CDLL("libretort.so.0"), Error()
retort.retort_dim.restype = ctypes.c_size_t

def call(function, *arguments):
    if function(*arguments, ctypes.byref(error)):
        sys.exit(error.message.decode())

model_folder, index_folder, query = (argument.encode() for argument in sys.argv[1:])
model, index, one, k = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t(1), ctypes.c_size_t(3)
texts = (ctypes.c_char_p * 1)(query)
call(retort.retort_open, ctypes.byref(model), model_folder, None)
vector = (ctypes.c_float * retort.retort_dim(model))()
call(retort.retort_embed, model, 1, texts, one, vector)  # 1: a query; 0 a text, 2 a document
print(*(f"{value:.9g}" for value in vector), sep="\n")
call(retort.retort_index_open, ctypes.byref(index), index_folder, None, None)
hits = (Hit * 3)()
call(retort.retort_search, index, texts, one, k, hits)
print(*(f"{hit.id.decode()} {hit.score:.9g}" for hit in hits if hit.id), sep="\n")
retort.retort_index_close(index)
retort.retort_close(model)
