# lookhere.cpp: `make demo` and `make test` are all a new machine needs. No file is listed here: sources are found.
#   make                 build/lookhere and the examples       make test [F=Filter*]     all tests
#   make demo            train, evaluate and draw              make lint                 format, tidy, style
#   make bench K=gemm    time one kernel                       make SAN=address,undefined test
#   make fuzz K=recipe   feed one parser or writer any bytes     make ARM=1 test         for arm64, in an emulator
#   make gpu-check       all that a GPU proves              make gpu-bundle           the same as a folder to take there
.DEFAULT_GOAL := all
# Each of these builds in a make of its own, with all cores; two at once would write the same files.
$(if $(word 2,$(filter all demo test bench fuzz dist install lint gpu-check gpu-bundle deps%,$(MAKECMDGOALS))),$(eval .NOTPARALLEL:))
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# -- arm64 ---------------------------------------------------------------------------------------------------------
# ARM=1: by Debian's cross compiler, with its arm64 packages in build/arm64/root. Programs are static, so that an emulator
# (qemu) runs them with nothing else: `make ARM=1 dist`, `make ARM=1 test`.
ARM ?=
QEMU := $(if $(ARM),/usr/bin/qemu-aarch64-static)
ifneq ($(ARM),)
override CXX := aarch64-linux-gnu-g++
SYSROOT := build/arm64/root
CUDA    := none
endif

# -- What is built, with what ------------------------------------------------------------------------------------------
CXX   := g++
SAN   ?=
MULTI := $(if $(ARM),aarch64-linux-gnu,$(shell gcc -print-multiarch 2>/dev/null))
MACHINE := $(if $(ARM),aarch64,$(shell uname -m))
BLAS  := openblas-openmp
# Other settings than these have a folder of their own, so that switching between them rebuilds nothing.
comma := ,
space := $() $()
CONFIG := $(strip $(filter-out g++,$(notdir $(CXX))) $(subst $(comma),-,$(SAN)))
OUT   := build$(if $(ARM),/arm64,$(if $(CONFIG),/$(subst $(space),_,$(CONFIG))))
DIR   := $(OUT)/obj
# g++ 12 sees overlapping copies in std::string's operator+ (GCC bug 105651) and, among a sanitizer's checks, values of
# std::regex that are not set (105562). Where clang adds such checks or a fuzzer's counters, not every loop can be
# vectorised that asks for it.
CLANG_WARN := $(if $(SAN),-Wno-pass-failed)
GCC_WARN   := -Wno-restrict $(if $(SAN),-Wno-maybe-uninitialized)
WARN  := -Wall -Wextra -Werror $(if $(findstring clang,$(CXX)),$(CLANG_WARN),$(GCC_WARN))
INC   := -I. $(foreach folder,$(MULTI)/$(BLAS) freetype2 $(if $(ARM),. $(MULTI)),-isystem $(SYSROOT)/usr/include/$(folder))
FLAGS := -std=c++20 -O3 -g1 -fopenmp -fno-math-errno -fno-trapping-math $(WARN) $(INC) $(if $(SAN),-O1 -DSANITIZED -fsanitize=$(SAN) -fno-sanitize-recover=all)
# Of static programs: nothing but a Linux kernel is needed where they run. libgomp warns of dlopen, which it uses for
# accelerators alone; the linker's own option for that would hide symbols that are missing, too.
WITHOUT_WARNINGS = 2>$(DIR)/$(@F).log || { cat $(DIR)/$(@F).log >&2; exit 1; }
STATIC := -static -Wl,--gc-sections -L$(SYSROOT)/usr/lib/$(MULTI) -L$(SYSROOT)/usr/lib/$(MULTI)/$(BLAS) -lopenblas -lfreetype -lbrotlidec -lbrotlicommon \
  -ljpeg -lpng -larchive -lz
# What calls of exit become is defined there alone.
WRAP_EXIT = $(if $(filter -static,$(LINK)),$(if $(filter %/vit/cli/main.o,$^),-Wl$(comma)--wrap=exit))
# The run path matters: where both are installed, Debian's alternatives would load OpenBLAS' pthread build.
LINK  := -L/usr/lib/$(MULTI)/$(BLAS) -Wl,-rpath,/usr/lib/$(MULTI)/$(BLAS) -lopenblas -lfmt -lfreetype -ljpeg -lpng -larchive -lz

# oneDNN is a back end of kernels/gemm/gemm.h for comparison, where it is installed (Debian: libdnnl-dev).
ONEDNN := $(if $(ARM),,$(wildcard /usr/include/oneapi/dnnl/dnnl.h))
FLAGS += $(if $(ONEDNN),-DKERNELS_ONEDNN)
LINK  += $(if $(ONEDNN),-ldnnl)
ifneq ($(ARM),)
LINK  := $(STATIC)
QUIETLY = $(WITHOUT_WARNINGS)
endif

# One binary for every x86-64: whatever is not a kernel is compiled for the oldest, kernels written in namespace
# KERNELS_ISA once for each instruction set (kernels/simd/isa.h) into objects named x.avx2.o and so on. `make ISAS=` leaves
# only the portable ones.
ISAS := $(if $(filter x86_64,$(MACHINE)),avx2 avx512 avx512_bf16)
MARCH_avx2        := -march=x86-64-v3
MARCH_avx512      := -march=x86-64-v4 -mprefer-vector-width=512
MARCH_avx512_bf16 := $(MARCH_avx512) -mavx512bf16 -DKERNELS_OF_PAIRS_ALONE
sources = $(sort $(shell find $(1) -name '*.cpp'))
KERNELS := $(filter-out kernels/bench/% kernels/cuda/%,$(call sources,kernels))
VECTOR_KERNELS := $(shell grep -lw KERNELS_ISA $(KERNELS))
VECTOR_KERNELS_avx512_bf16 := $(shell grep -lw KERNEL_OF_PAIRS $(KERNELS))
# tests/gpu/portable.cpp: what Debian has no archive of (libfmt).
LIBRARY := $(if $(ARM),tests/gpu/portable.cpp) $(KERNELS) $(filter-out vit/cli/main.cpp tensor/world/mpi.cpp,$(call sources,tensor autograd nn vit))
FAULTS  := $(wildcard tests/faults/*.cpp)
FUZZERS := $(patsubst tests/fuzz/%.cpp,%,$(wildcard tests/fuzz/*.cpp))
TESTS   := $(filter-out tests/faults/% tests/fuzz/% tests/gpu/%,$(call sources,tests))
# What an emulator can run in minutes.
ifneq ($(ARM),)
TESTS := $(filter-out tests/kernels/cuda/%,$(filter $(addprefix tests/,main.cpp allocations.cpp dist/% kernels/% autograd/% nn/% \
  vit/model_% vit/train_resume_test.cpp),$(TESTS)))
endif
EXAMPLES := $(patsubst examples/%.cpp,$(OUT)/examples/%,$(wildcard examples/*.cpp))
BENCHES := $(patsubst kernels/bench/%.cpp,%,$(wildcard kernels/bench/*.cpp))
objects = $(patsubst %.cpp,$(DIR)/%.o,$(1))
KERNEL_OBJECTS := $(call objects,$(KERNELS)) $(foreach isa,$(ISAS),$(patsubst %.cpp,$(DIR)/%.$(isa).o,$(or $(VECTOR_KERNELS_$(isa)),$(VECTOR_KERNELS))))
KERNEL_FLAGS := $(if $(ISAS),-DKERNELS_EVERY_ISA)
# The rungs below a kernel's best are compiled with the bench, for this machine alone.
BENCH_FLAGS := -march=native -DKERNELS_ISA=native
$(DIR)/kernels/%.o: FLAGS += $(KERNEL_FLAGS)
$(DIR)/kernels/bench/%.o: FLAGS += $(BENCH_FLAGS)
# What runs once for each command, or waits for kernels: half the code in three quarters of the time.
WAITS := $(foreach f,tensor autograd nn $(addprefix vit/,cli compare model show train),$f/%) \
  $(foreach f,idx_folder image_files sources tar_index webdataset,vit/data/$f.o)
$(addprefix $(DIR)/,$(WAITS)): FLAGS += -Os
# Tests are compiled more often than run: half the compiler's time is the optimiser's.
TEST_FLAGS := $(if $(SAN),,-O1)
$(DIR)/tests/%: FLAGS += $(TEST_FLAGS)
# What all of them include is parsed once, which halves that time. g++ then forgets which of it is the system's, and gives
# false alarms there. ccache does without: make PRECOMPILED=
PRECOMPILED := $(DIR)/tests/precompiled.h
$(DIR)/tests/%: FLAGS += $(if $(findstring clang,$(CXX)),,-Wno-array-bounds -Wno-stringop-overflow)
$(call objects,$(TESTS)): FLAGS += $(addprefix -include ,$(PRECOMPILED))
# Objects are made anew when what they are made with has changed, and not whenever this file has.
WITH := $(strip $(CXX) $(FLAGS) $(KERNEL_FLAGS) $(BENCH_FLAGS) $(TEST_FLAGS) $(foreach isa,$(ISAS),$(isa): $(MARCH_$(isa))))
ifneq ($(file <$(DIR)/made-with),$(WITH))
$(shell mkdir -p $(DIR))$(file >$(DIR)/made-with,$(WITH))
endif
# CUDA: the library calls kernels' CUDA versions, whoever makes them (kernels/cuda/device.h). nvcc does where it is found,
# and lookhere runs on a GPU. Else they are the emulated ones, and lookhere says that it has no GPU; `make CUDA=emulated`
# has build/emulated/lookhere, which takes the emulator for one, as the tests do. CUDA=none leaves nvcc out.
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(realpath $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))))
NVCC      := $(wildcard $(CUDA_HOME)/bin/nvcc)
CUDA      ?= $(if $(SAN),none,$(if $(NVCC),nvcc,none))
KINDS     := nvcc emulated none
$(if $(filter-out $(KINDS),$(CUDA)),$(error CUDA=$(CUDA): wanted one of: $(KINDS)))
$(if $(NVCC),,$(if $(filter nvcc,$(CUDA))$(filter command environment,$(firstword $(origin CUDA_HOME))),\
  $(error CUDA_HOME=$(CUDA_HOME): wanted a folder with bin/nvcc, 12 or later)))
EMULATE := -Og
CUDA_KERNELS := $(filter-out kernels/cuda/% kernels/bench/%,$(sort $(shell find kernels -name '*.cu')))
TRACE_PAGE := $(call sources,kernels/cuda/trace_page)
EMULATED := $(CUDA_KERNELS:%.cu=$(DIR)/%.cu.emulated$(EMULATE).o) $(filter-out %/device.o,$(call objects,$(filter-out $(TRACE_PAGE),$(call sources,kernels/cuda))))
GPU_emulated := $(EMULATED) $(DIR)/kernels/cuda/emulator/device.o
GPU_none     := $(EMULATED) $(DIR)/kernels/cuda/none/device.o
GPU_nvcc     := $(patsubst %.cu,$(DIR)/%.cu.nvcc.o,$(CUDA_KERNELS) $(wildcard kernels/cuda/gpu/*.cu))
BENCHES += $(if $(filter nvcc,$(CUDA)),cuda)
CUDA_LINK_nvcc := -L$(CUDA_HOME)/lib64 -Wl,-rpath,$(CUDA_HOME)/lib64 -lcudart_static -ldl -lrt -lpthread
PROGRAM  := $(OUT)/$(if $(filter emulated,$(CUDA)),emulated/)$(if $(MPI),mpi/)lookhere

# MPI=1: build/mpi/lookhere, which works with others of its kind (mpirun). Debian's Open MPI; for another, what its mpicxx
# adds (MPICH: MPI_FLAGS="-isystem /usr/include/x86_64-linux-gnu/mpich" MPI_LINK=-lmpich).
MPI       ?=
MPI_FLAGS := -isystem /usr/lib/$(MULTI)/openmpi/include
MPI_LINK  := -lmpi
MPI_HERE  := $(wildcard /usr/lib/$(MULTI)/openmpi/include/mpi.h)
$(DIR)/tensor/world/mpi.o: FLAGS += $(MPI_FLAGS)
$(DIR)/tensor/world/mpi.o: $(DIR)/mpi-with
ifneq ($(file <$(DIR)/mpi-with),$(MPI_FLAGS) $(MPI_LINK))
$(shell mkdir -p $(DIR))$(file >$(DIR)/mpi-with,$(MPI_FLAGS) $(MPI_LINK))
endif

# Targets for users install packages first and then build in a second make, which knows what is there and uses all cores.
PARALLEL = $(MAKE) --no-print-directory -j$(shell nproc)
.PHONY: all install test demo bench fuzz dist gpu-check gpu-bundle lint format clean deps deps-demo deps-test deps-lint deps-fuzz
all: deps-demo
	@$(PARALLEL) $(PROGRAM) $(EXAMPLES)

# Into PREFIX, below DESTDIR: the program, its page for man, what bash completes, the licence.
PREFIX ?= /usr/local
install: deps-demo
	@$(PARALLEL) $(PROGRAM)
	@STRIP=$(if $(ARM),aarch64-linux-gnu-)strip EMULATOR=$(QEMU) tests/dist/install.sh $(PROGRAM) "$(DESTDIR)" "$(PREFIX)"

define link
	@mkdir -p $(@D)
	@echo "  link $@"
	@$(CXX) $(FLAGS) $(filter %.o,$^) $(filter %.a,$^) $(LINK) $(WRAP_EXIT) $(1) -o $@ $(QUIETLY)
endef
HARDWARE := $(if $(filter nvcc,$(CUDA)),nvcc,none)
$(OUT)/lookhere: $(call objects,vit/cli/main.cpp) $(DIR)/liblookhere.a $(GPU_$(HARDWARE))
	$(call link,$(CUDA_LINK_$(HARDWARE)))
$(OUT)/emulated/lookhere: $(call objects,vit/cli/main.cpp) $(DIR)/liblookhere.a $(GPU_emulated)
	$(call link)
$(OUT)/mpi/lookhere: $(call objects,vit/cli/main.cpp tensor/world/mpi.cpp) $(DIR)/liblookhere.a $(GPU_$(HARDWARE))
	$(call link,$(CUDA_LINK_$(HARDWARE)) $(MPI_LINK))
$(OUT)/emulated/mpi/lookhere: $(call objects,vit/cli/main.cpp tensor/world/mpi.cpp) $(DIR)/liblookhere.a $(GPU_emulated)
	$(call link,$(MPI_LINK))
$(OUT)/tests: $(call objects,$(TESTS) $(filter-out %/main.cpp,$(TRACE_PAGE))) $(DIR)/liblookhere.a $(GPU_emulated)
	$(call link,-lgtest -lgmock)
$(OUT)/examples/%: $(DIR)/examples/%.o $(DIR)/liblookhere.a $(GPU_$(HARDWARE))
	$(call link,$(CUDA_LINK_$(HARDWARE)))
$(OUT)/trace_page: $(call objects,$(TRACE_PAGE) kernels/cuda/emulator/whole_file.cpp)
	$(call link)
# A kernel's bench links the kernels alone: the linker proves that they stand without the rest.
$(OUT)/bench/%: $(DIR)/kernels/bench/%.o $(KERNEL_OBJECTS)
	$(call link,-lbenchmark)
# The CUDA one needs none of the CPU's libraries.
$(OUT)/bench/cuda: LINK :=
$(OUT)/bench/cuda: $(DIR)/kernels/bench/cuda.cu.nvcc.o $(GPU_nvcc)
	$(call link,$(CUDA_LINK_nvcc))
# Makes allocations fail, for tests of what happens then.
$(OUT)/faults.so: $(FAULTS) $(DIR)/made-with
	@mkdir -p $(@D)
	@echo "  link $@"
	@$(CXX) -std=c++20 -O2 $(WARN) -shared -fPIC $(FAULTS) -o $@
$(OUT)/%/fuzzer: $(DIR)/tests/fuzz/%.o $(DIR)/liblookhere.a $(GPU_none)
	$(call link,-fsanitize=fuzzer)
$(DIR)/liblookhere.a: $(call objects,$(filter-out $(KERNELS),$(LIBRARY))) $(KERNEL_OBJECTS)
	@rm -f $@ && ar rcs $@ $^
$(DIR)/%.o: %.cpp $(DIR)/made-with
	@mkdir -p $(@D)
	@echo "  c++  $<"
	@$(CXX) $(FLAGS) -MMD -MP -c $< -o $@
$(call objects,$(TESTS)): $(addsuffix .gch,$(PRECOMPILED))
$(DIR)/tests/precompiled.h.gch: $(DIR)/made-with
	@mkdir -p $(@D)
	@echo "  c++  tests/testing.h (precompiled)"
	@printf '#include <gmock/gmock.h>\n#include "tests/testing.h"\n' >$(@:.gch=)
	@$(CXX) $(FLAGS) -MMD -MP -MF $(@:.gch=.d) -x c++-header $(@:.gch=) -o $@
# The linker keeps one copy of a weak function. One of another instruction set's namespace must not be it. Nothing throws
# here; told so, clang adds none of its own (__clang_call_terminate).
define isa_rule
$(DIR)/kernels/%.$(1).o: kernels/%.cpp $(DIR)/made-with
	@mkdir -p $$(@D)
	@echo "  c++  $$< ($(1))"
	@$$(CXX) $$(FLAGS) $$(MARCH_$(1)) -fno-exceptions -DKERNELS_ISA=$(1) -MMD -MP -c $$< -o $$@
	@$(if $(SAN),,! nm -C $$@ | grep ' W ' | grep -v 'kernels::$(1)::' || { rm $$@; echo "$$<: the functions above would be shared"; exit 1; })
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))
# Three times as fast as without optimisation. For a debugger that finds every variable: make EMULATE=-O0 test F=...
$(DIR)/%.cu.emulated$(EMULATE).o: FLAGS += $(EMULATE) -g
$(DIR)/%.cu.emulated$(EMULATE).o: %.cu $(DIR)/made-with
	@mkdir -p $(@D)
	@echo "  c++  $< (emulated)"
	@$(CXX) $(FLAGS) -MMD -MP -x c++ -c $< -o $@
# For the GPUs of 2020 and 2022 as they are, for later ones by way of PTX. What ptxas says of each kernel is kept.
NVCC_FLAGS := -std=c++20 -O3 -I. --expt-relaxed-constexpr --extended-lambda -Werror all-warnings \
  $(foreach sm,80 90,-gencode arch=compute_$(sm),code=sm_$(sm)) -gencode arch=compute_120,code=compute_120 -Xptxas -v
$(DIR)/%.cu.nvcc.o: %.cu $(DIR)/made-with
	@mkdir -p $(@D)
	@echo "  nvcc $<"
	@$(NVCC) $(NVCC_FLAGS) -MMD -MP -c $< -o $@ 2>$(@:.o=.ptxas) || { cat $(@:.o=.ptxas); exit 1; }
	@$(NVCC) --version | tail -1 >>$(@:.o=.ptxas)
-include $(shell find $(DIR) -name '*.d' 2>/dev/null)
# Kept, and made where missing: as intermediate files they would not be missed once what is linked of them is newer.
.PRECIOUS: $(DIR)/%.o

# Every header stands alone, and all stand together: no two give one name to different things. nvcc's own are left out,
# and those that their own .cpp includes first have stood alone there (tests/style_test.cpp).
HEADERS := $(shell find kernels tensor autograd nn vit -name '*.h' -not -path 'kernels/bench/*' -not -path 'kernels/cuda/gpu/*')
HEADER_CHECKS := $(patsubst %,$(DIR)/headers/%.ok,$(filter-out $(patsubst %.cpp,%.h,$(LIBRARY)),$(HEADERS))) $(DIR)/headers/all.ok
define check-headers
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $(1) | $(CXX) $(FLAGS) $(KERNEL_FLAGS) -fsyntax-only -MMD -MP -MF $(@:.ok=.d) -MT $@ -x c++ -
	@touch $@
endef
$(DIR)/headers/%.ok: % $(DIR)/made-with
	$(call check-headers,$*)
$(DIR)/headers/all.ok: $(HEADERS) $(DIR)/made-with
	$(call check-headers,$(HEADERS))

# What runs again on every lesser instruction set: all kernels that are vectorised, all gradients, the golden values.
ISA_NONE := $(addprefix tests/kernels/,cuda/% attention/keys% attention/plan% attention/masked%)
ISA_SUITES = $(shell sed -n 's/^TEST.\([A-Za-z0-9]*\),.*/\1.*/p' $(filter-out $(ISA_NONE),$(filter tests/kernels/%,$(TESTS))) tests/autograd/ops_test.cpp tests/vit/model_lookhere_test.cpp | sort -u)

# What arm64 runs in an emulator, which is slow: the same, and runs that stop and go on.
ARM_SUITES := Model.LogitsAreTheAuthors TrainResume* Dist*

# Half of the time of most tests is spent on one thread, or in programs that they start.
TEST_JOBS := $(if $(F),,--jobs $(shell n=$$(nproc); echo $$((n < 4 ? n : 4))))

# -- What users run ----------------------------------------------------------------------------------------------------
ifneq ($(ARM),)
test: deps-test
	@$(PARALLEL) $(OUT)/tests $(OUT)/lookhere $(DIST).tar.gz
	@OMP_WAIT_POLICY=passive BUILD=$(OUT) LOOKHERE_EMULATOR=$(QEMU) $(QEMU) $(OUT)/tests --gtest_brief=1 \
	  --gtest_filter='$(or $(F),$(subst $(space),:,$(ISA_SUITES) $(ARM_SUITES)))'
else
test: deps-test
	@$(PARALLEL) $(OUT)/tests $(OUT)/lookhere $(OUT)/emulated/lookhere $(OUT)/emulated/conformance $(OUT)/trace_page $(if $(SAN),,$(if $(MPI_HERE),$(OUT)/mpi/lookhere $(OUT)/emulated/mpi/lookhere) $(DIST).tar.gz $(OUT)/faults.so $(if $(F),,$(HEADER_CHECKS))) $(EXAMPLES) $(addprefix $(OUT)/bench/,$(BENCHES))
	@$(if $(F),,for isa in $(filter-out $(lastword $(ISAS)),portable $(ISAS)); do \
	  LOOKHERE_ISA=$$isa OMP_WAIT_POLICY=passive BUILD=$(OUT) $(OUT)/tests $(TEST_JOBS) --gtest_brief=1 --gtest_filter='$(subst $(space),:,$(ISA_SUITES))' || exit 1; done)
	@OMP_WAIT_POLICY=passive BUILD=$(OUT) $(OUT)/tests $(TEST_JOBS) --gtest_brief=1 $(if $(F),--gtest_filter='$(F)')
endif

# Trains the nano ViT with LookHere and with learned positions under zoom augmentation and shows both ever larger images:
# one page in build/demo. DATA: another set; FLAGS_DEMO: more options of compare.
DEMO := $(OUT)/demo
demo: deps-demo
	@$(PARALLEL) $(OUT)/lookhere
	$(call try-install,$(DATA_DEPS))
	@rm -rf "$(DEMO)"
	@data=$(or $(DATA),$$(test -d /usr/share/datasets/fashion-mnist && echo fashion || echo shapes)) && set -e && \
	  $(OUT)/lookhere compare --data $$data --positions lh180,learned --seeds 1 --epochs 5 --scale 0.15 1 --test-images 2000 --metrics accuracy,heads,fgsm --holdout 0 \
	    --output "$(DEMO)" $(FLAGS_DEMO) && \
	  $(OUT)/lookhere predict --model "$(DEMO)/runs/lh180-seed42/best.safetensors" $$data:0

bench: deps-test
	@$(if $(filter $(BENCHES),$(K)),,echo "make bench K=KERNEL, one of: $(BENCHES)" && false)
	@$(PARALLEL) $(OUT)/bench/$(K)
	@JSON='$(JSON)' $(OUT)/bench/$(K) $(ARGS)

# libFuzzer's binaries, inputs worth keeping and findings are in build/fuzz/TARGET. Portable kernels are enough for it.
SECONDS ?= 60
FUZZ    := build/fuzz
fuzz: deps-fuzz
ifeq ($(K),)
	@echo "make fuzz K=TARGET [SECONDS=60] [ARGS='-jobs=2 ...'], one of: $(FUZZERS)"
else
	@$(PARALLEL) CXX=$(FUZZ_CXX) SAN=address,undefined,fuzzer-no-link ISAS= OUT=$(FUZZ) $(FUZZ)/$(K)/fuzzer
	@mkdir -p $(FUZZ)/$(K)/corpus
	@OMP_NUM_THREADS=1 $(FUZZ)/$(K)/fuzzer -max_total_time=$(SECONDS) -artifact_prefix=$(FUZZ)/$(K)/ -print_final_stats=1 \
	  $(addprefix -dict=,$(wildcard tests/fuzz/$(K).dict)) $(ARGS) $(FUZZ)/$(K)/corpus
endif

SOURCES := $(shell find tensor autograd nn vit kernels examples tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')
lint: deps-lint
	@clang-format --dry-run --Werror $(SOURCES)
	@tests/lint.sh $(FUZZ_CXX) "-std=c++20 -fopenmp -Wall -Wextra $(INC) $(MPI_FLAGS)" $(sort $(filter %.cpp,$(SOURCES)))
	@echo "lint: $(words $(SOURCES)) files are in order"
format: ; clang-format -i $(SOURCES)

clean:
	rm -rf build

# -- A GPU elsewhere ---------------------------------------------------------------------------------------------------
# build/gpu-bundle needs a driver and cuBLAS where it runs, and nothing else. `bash build/gpu-bundle/check.sh` there writes
# gpu-check.txt; `make gpu-check` does both where this machine has a GPU.
BUNDLE    := $(OUT)/gpu-bundle
BUNDLED   := $(addprefix $(OUT)/gpu/bin/,lookhere tests conformance bench_cuda)
GPU_TESTS := $(filter-out tests/kernels/cuda/%,$(filter tests/main.cpp tests/kernels/% tests/autograd/% tests/vit/cuda_test.cpp,$(TESTS)))
# Tests name the emulator, but kernels, products and the device are the GPU's.
EMULATOR  := $(filter-out %/product.o %/all_reduce.o,$(filter $(DIR)/kernels/cuda/emulator/%,$(EMULATED)))
PORTABLE  := $(DIR)/tests/gpu/portable.o
$(DIR)/tests/gpu/host_memory.o: FLAGS += -isystem $(CUDA_HOME)/include
# Libraries that have an archive are linked from it. A run path of the old kind holds for OpenBLAS' own libraries too.
$(OUT)/gpu/bin/%: LINK = -static-libstdc++ -static-libgcc -L/usr/lib/$(MULTI)/$(BLAS) -lopenblas $(if $(ONEDNN),-ldnnl) \
  -Wl,-Bstatic -lfreetype -lbrotlidec -lbrotlicommon -ljpeg -lpng -larchive -lz -Wl,-Bdynamic -L$(CUDA_HOME)/lib64 -lcudart_static -ldl -lrt -lpthread \
  -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib' -s
$(OUT)/gpu/bin/lookhere: $(call objects,vit/cli/main.cpp) $(DIR)/liblookhere.a $(GPU_nvcc) $(PORTABLE)
	$(call link)
$(OUT)/gpu/bin/tests: $(call objects,$(GPU_TESTS)) $(DIR)/tests/gpu/host_memory.o $(DIR)/liblookhere.a $(GPU_nvcc) $(EMULATOR) $(PORTABLE)
	$(call link,-lgtest -lgmock)
$(OUT)/gpu/bin/conformance: $(DIR)/tests/gpu/conformance.cu.nvcc.o $(filter $(DIR)/kernels/cuda/gpu/%,$(GPU_nvcc)) $(PORTABLE)
	$(call link)
$(OUT)/gpu/bin/bench_cuda: $(DIR)/kernels/bench/cuda.cu.nvcc.o $(DIR)/liblookhere.a $(GPU_nvcc) $(PORTABLE)
	$(call link)
$(OUT)/emulated/conformance: $(DIR)/tests/gpu/conformance.cu.emulated$(EMULATE).o $(DIR)/liblookhere.a $(GPU_emulated)
	$(call link)
gpu-bundle: deps-test
	@$(if $(NVCC),,echo "gpu-bundle: nvcc is not found here; CUDA_HOME=FOLDER says where it is" && false)
	@$(PARALLEL) $(BUNDLED) $(OUT)/emulated/conformance
	@LD_LIBRARY_PATH=/usr/lib/$(MULTI)/$(BLAS) tests/gpu/bundle.sh $(BUNDLE) $(OUT)/gpu/bin $(CUDA_HOME) $(OUT)/emulated/conformance
gpu-check:
	@tests/gpu/check.sh can-run
	@$(MAKE) --no-print-directory gpu-bundle
	@$(BUNDLE)/check.sh

# -- One file to carry -------------------------------------------------------------------------------------------------
# `make dist`: a program that needs nothing but a Linux kernel, with the licences of what is in it, as build/dist/*.tar.gz.
VERSION  := $(shell sed -n 's/.*kVersion = "\(.*\)".*/\1/p' vit/cli/*.h vit/cli/*.cpp)
CARRIED  := lookhere-$(VERSION)-linux-$(MACHINE)
DIST     := $(OUT)/dist/$(CARRIED)
DIST_OF  := libopenblas-openmp-dev libfmt-dev libfreetype-dev libbrotli-dev libjpeg62-turbo-dev libpng-dev libarchive-dev \
  zlib1g-dev libxxhash-dev nlohmann-json3-dev libcli11-dev librandom123-dev libc6-dev libstdc++-12-dev libgomp1
# OpenBLAS multiplies on processors without AVX2. Its kernels for others are 20 MB: those find an older kind's in their place.
older = $(foreach core,$(2),-Wl,--defsym=gotoblas_$(core)=gotoblas_$(1))
FEW_CORES := $(if $(ISAS),$(call older,PRESCOTT,OPTERON OPTERON_SSE3 BARCELONA BOBCAT ATOM NANO CORE2 PENRYN DUNNINGTON) \
  $(call older,SANDYBRIDGE,BULLDOZER PILEDRIVER STEAMROLLER EXCAVATOR HASWELL ZEN SKYLAKEX COOPERLAKE))
$(DIST)/lookhere: LINK = -s $(FEW_CORES) $(STATIC)
$(DIST)/lookhere: QUIETLY = $(WITHOUT_WARNINGS)
$(DIST)/lookhere: $(call objects,vit/cli/main.cpp) $(DIR)/liblookhere.a $(GPU_none) $(PORTABLE)
	$(call link)
$(DIST).tar.gz: $(DIST)/lookhere LICENSE tests/dist/README.md tests/dist/archive.sh
	@EMULATOR=$(QEMU) tests/dist/archive.sh $(DIST) $(DIST_OF)
dist: deps-demo
	@$(PARALLEL) $(DIST).tar.gz

# -- What Debian packages are needed: each target asks only for its own ------------------------------------------------
CLANG      := $(patsubst clang++%,clang% libomp-dev,$(filter clang++%,$(notdir $(CXX))))
BUILD_DEPS := g++ $(CLANG) libopenblas-openmp-dev libfmt-dev nlohmann-json3-dev libcli11-dev librandom123-dev zlib1g-dev libpng-dev libjpeg62-turbo-dev libarchive-dev libxxhash-dev libfreetype-dev
# The families that --data glyphs is drawn with (vit/data/glyphs/fonts.cpp).
FONT_DEPS  := $(addprefix fonts-,cabin cantarell comic-neue courier-prime crosextra-caladea crosextra-carlito dejavu-core dosis \
  ebgaramond fanwood gfs-didot inconsolata junction karla liberation2 lobster oldstandard quicksand)
TEST_DEPS  := $(BUILD_DEPS) $(FONT_DEPS) libgtest-dev libgmock-dev libbenchmark-dev
FUZZ_CXX   := clang++-14
FUZZ_DEPS  := $(BUILD_DEPS) clang-14 libclang-rt-14-dev libomp-dev
LINT_DEPS  := $(TEST_DEPS) clang-format clang-tidy clang-14 libomp-dev libopenmpi-dev
# Those of arm64 itself, to be unpacked.
ARM_DEPS   := g++-aarch64-linux-gnu qemu-user-static
ARM_ROOT   := $(filter-out libc6-dev libstdc++% libgomp1,$(DIST_OF)) libgtest-dev libgmock-dev
MPI_DEPS   := libopenmpi-dev openmpi-bin
DATA_DEPS  := dataset-fashion-mnist
# Lays out a comparison's page for a test.
BROWSER    := chromium
missing = $(strip $(foreach p,$(1),$(if $(filter installed,$(shell dpkg-query -W -f='$${db:Status-Status}' $(p) 2>/dev/null)),,$(p))))
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# $(call install,packages): says what is missing and installs it, as root or through sudo.
define install
	@$(if $(call missing,$(1)),echo "installing from Debian: $(call missing,$(1))" && $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(call missing,$(1)) >/dev/null,:)
endef
# The same for what is not needed, only good to have.
define try-install
	@$(if $(call missing,$(1)),echo "installing from Debian: $(call missing,$(1))" && $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(call missing,$(1)) >/dev/null || \
	  echo "not to be had: $(call missing,$(1))",:)
endef
deps: deps-lint
	$(call install,$(DATA_DEPS))
	$(call try-install,$(BROWSER) $(MPI_DEPS))
deps-demo:
	$(call install,$(BUILD_DEPS) $(if $(MPI),$(if $(filter file,$(origin MPI_FLAGS)),$(MPI_DEPS))) $(if $(ARM),$(ARM_DEPS)))
	@$(if $(ARM),tests/arm64/unpack.sh $(SYSROOT) $(ARM_ROOT))
deps-test: $(if $(ARM),deps-demo) ; $(call install,$(TEST_DEPS))
deps-lint: ; $(call install,$(LINT_DEPS))
deps-fuzz: ; $(call install,$(FUZZ_DEPS))
