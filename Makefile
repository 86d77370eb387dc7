# A thin front for CMake: `make help` lists what there is.
# JOBS=N limits parallel compilation, FUZZ_SECONDS=N the time per fuzz target. `make bench` takes
# REPEATS=N timed runs, MODEL=DIR CONTROLNET=DIR (else it makes a model of random weights, 5.7 GB), and
# compares with what CAGEN_PEER_PYTHON has.
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
FUZZ_SECONDS ?= 60
REPEATS ?= 5
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: build program demo model check check-full bench asan fuzz format install clean help deps

build: deps
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS)

deps:
	@scripts/install-deps.sh build

# The program alone: no tests, no benchmarks.
program: deps
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS) --target cagen

demo: program
	@scripts/demo.sh

model: program
	@scripts/make-model.sh

check:
	@scripts/install-deps.sh check
	@cmake --preset release
	@cmake --build --preset release -j $(JOBS)
	@ctest --preset release

check-full: check
	@CAGEN_TEST_FULL=1 ctest --preset release -R full_size

bench: build
	@for program in build/release/bench/bench_*; do \
	    case "$$program" in */bench_model) continue;; esac; \
	    if [ -f "$$program" ] && [ -x "$$program" ]; then "$$program" || exit 1; fi; \
	done
	@build/release/bench/bench_model --repeats $(REPEATS) $(if $(MODEL),--model '$(MODEL)') \
	    $(if $(CONTROLNET),--controlnet '$(CONTROLNET)')
	@if [ -n "$$CAGEN_PEER_PYTHON" ]; then bench/compare.sh --repeats $(REPEATS) && \
	    for peer in metrics syntheses; do PYTHONDONTWRITEBYTECODE=1 \
	        "$$CAGEN_PEER_PYTHON" bench/peer_$$peer.py --repeats $(REPEATS) || exit 1; done; fi

asan:
	@scripts/install-deps.sh asan
	@cmake --preset asan
	@cmake --build --preset asan -j $(JOBS)
	@ctest --preset asan
	@scripts/fuzz.sh build/asan $(FUZZ_SECONDS)

fuzz:
	@scripts/install-deps.sh asan
	@cmake --preset asan
	@cmake --build --preset asan -j $(JOBS)
	@scripts/fuzz.sh build/asan $(FUZZ_SECONDS)

format:
	@scripts/format.sh

install: build
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

clean:
	@rm -rf build

help:
	@echo 'make build     build/release/cagen and libcagen (installs missing Debian packages)'
	@echo 'make demo      build, then the whole way on the default model, into demo/'
	@echo 'make model     train the default model again, some hours, into build/model (STEPS=20: a try)'
	@echo 'make check     build and run all tests'
	@echo 'make check-full  and networks of Stable Diffusion 1.5 size (5 GB of memory)'
	@echo 'make bench     speed of the kernels, and of the networks at full size'
	@echo 'make asan      all tests and every fuzz target under address and undefined-behaviour sanitizers'
	@echo 'make fuzz      the fuzz targets alone, FUZZ_SECONDS=60 each'
	@echo 'make format    clang-format the sources'
	@echo 'make install   to PREFIX=/usr/local, below DESTDIR'
	@echo 'make clean     remove build/'
