# retort: one Makefile, no configure.  `make help` lists the targets.
#
# Objects, tests and reports are under $(BUILD); the program is ./retort.  Every .c of the six folders is in the
# library; distill/main.c alone makes it a program.  No -march=native: kernels for AVX2 and AVX-512 are the same source
# (nn/kernels.c) compiled once for each instruction set and chosen at run time.

BUILD   ?= build
PROGRAM ?= retort
prefix  ?= /usr/local
DESTDIR ?=

CC       ?= cc
OPTIMISE ?= -O3
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
PACKAGES  = libarchive zlib yaml-0.1 jansson libutf8proc lapacke libxxhash
CFLAGS   ?= -g
RETORT_CFLAGS = -std=c17 $(OPTIMISE) $(WARNINGS) -fopenmp-simd -fno-math-errno -pthread -MMD -MP -I. \
                -DRETORT_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PACKAGES)) $(SANITIZE) $(CFLAGS)
LIBS = -ldnnl -lgomp $(shell pkg-config --libs $(PACKAGES)) -lm -pthread
VERSION := 0.1.0

FOLDERS  = data nn teacher student distill
SOURCES := $(filter-out distill/main.c,$(wildcard $(FOLDERS:=/*.c)))
KERNELS  = $(if $(wildcard nn/kernels.c),$(BUILD)/nn/kernels_avx2.o $(BUILD)/nn/kernels_avx512.o)
OBJECTS  = $(SOURCES:%.c=$(BUILD)/%.o) $(KERNELS)
LIBRARY  = $(BUILD)/libretort.a
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/*/test_*.c))
SUPPORT  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*.c))

all: $(PROGRAM)

$(PROGRAM): $(BUILD)/distill/main.o $(LIBRARY)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(RETORT_CFLAGS) -c -o $@ $<

$(BUILD)/nn/kernels_avx2.o: nn/kernels.c
	@mkdir -p $(@D)
	$(CC) $(RETORT_CFLAGS) -mavx2 -mfma -mf16c -DKERNELS=kernels_avx2 -c -o $@ $<
$(BUILD)/nn/kernels_avx512.o: nn/kernels.c
	@mkdir -p $(@D)
	$(CC) $(RETORT_CFLAGS) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c \
	    -mprefer-vector-width=512 -DKERNELS=kernels_avx512 -c -o $@ $<

# ---- tests: one program a file, Check; tests/*.c is what they share ----

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(LIBRARY)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS) $(shell pkg-config --libs check)

build-tests: $(TESTS) $(PROGRAM)

# Runs every test program and every tests/*/test_*.sh, and fails if any fails.
test: build-tests
	RETORT=./$(PROGRAM) sh tests/run.sh $(TESTS) $(wildcard tests/*/test_*.sh)

clean:
	rm -rf build build-* retort

.PHONY: all build-tests test clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
