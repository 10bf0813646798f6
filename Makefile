# `make` alone lists what can be made. Every target that needs the virtual environment makes it.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
LOCKS := docker/requirements
# The first Python that will do; PYTHON=… overrides.
FOUND_PYTHON = $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)

# What a person may hand over: make run IMAGES=~/photos ARCHITECTURE=mobilenet_1.0_128
#   of a run    SOURCE IMAGES URLS SPECIES CONTACT ARCHITECTURE WEIGHTS DECISIONS LEDGER, and
#               RUNNER=docker: the steps run in their images (`make images` first) instead of in this environment
#   of images   REGISTRY, where `make push` and `make release` push to, and `make submit` says that they are;
#               CUDA=1 or 0 with or without the image for NVIDIA GPUs; DOCKER, the command
#   of submit   HOST, KFP's API, as http://localhost:8080, and UPLOAD_TO, where photos of this machine are put
#   of others   RUN, LOGS, MODEL: what `make tensorboard` and `make review` show, `make verify` checks and `make serve` serves, and PORT,
#               where (6006, any that is free, and 8080); REPORTED: photos that `make bench-cleaning`, `make bench-drift`, `make bench-label-next` and
#               `make bench-unknown` report on;
#               DATABASE: OSV's archive of advisories, for `make audit` without the internet; PYTHON
# Each is one value, whatever is in it: neither make nor the shell looks for more in it. So recipes write "$$IMAGES",
# which the shell takes from the environment, and never $(IMAGES), but to see whether there is one.
VALUES := SOURCE IMAGES URLS SPECIES CONTACT ARCHITECTURE WEIGHTS DECISIONS LEDGER RUNNER REGISTRY CUDA DOCKER HOST UPLOAD_TO \
	RUN LOGS MODEL PORT REPORTED DATABASE PYTHON
# These are words of a command, in which the shell finds quotes and variables as in what is typed: any other option of
# `pipeline.py run` (make run ARGS='--min_accuracy 0.8 --name "my flowers"'), of docker build (--build-arg=BASE_IMAGE=…),
# and packages.
WORDS := ARGS BUILD_OPTIONS PEERS
$(foreach name,$(VALUES) $(WORDS),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))))
$(foreach name,$(VALUES),$(if $(value $(name)),$(eval export $(name))))

IMAGE_TOOL = DOCKER="$${DOCKER:-docker}" $(PY) docker/images.py
# A command that names the images of this working tree, and where they were pushed to.
WITH_NAMES = $(IMAGE_TOOL) with-names $(if $(REGISTRY),--registry="$$REGISTRY")
ifneq (,$(filter-out 0 1,$(CUDA)))
$(error CUDA is '$(CUDA)': expected 1 or 0)
endif
CUDA_OPTION = $(if $(CUDA),$(if $(filter 0,$(CUDA)),--no-cuda,--cuda))

# A variable that nothing reads, such as IMAGE for IMAGES, would leave the run to the sample. Only the command line is looked at:
# the environment holds what other programs read. SHELL and MAKEFLAGS are make's own.
OWN := $(shell sed -nE 's/^([A-Z_]+) *[:?]?=.*/\1/p' Makefile)
UNKNOWN := $(filter-out $(VALUES) $(WORDS) $(OWN) SHELL MAKEFLAGS,$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
CLOSEST = import difflib, sys; unknown, *known = sys.argv[1:]; \
	print(*(f"did you mean {name}?" for name in difflib.get_close_matches(unknown.upper(), known, 1)))
ifneq (,$(UNKNOWN))
$(error $(strip $(firstword $(UNKNOWN)) is no variable of this Makefile: $(shell $(or $(FOUND_PYTHON),true) -c '$(CLOSEST)' \
	'$(subst ','\'',$(firstword $(UNKNOWN)))' $(VALUES) $(WORDS)) make alone lists them (what is meant for the environment stands before the word make)))
endif

RUN_FOLDER = "$${RUN:-runs/latest}"
LOGS_FOLDER = "$${LOGS:-$${RUN:-runs/latest}/logs}"
MODEL_FOLDER = "$${MODEL:-$${RUN:-runs/latest}/model}"
RUN_OPTIONS := $(if $(SOURCE),--source="$$SOURCE") \
	$(if $(IMAGES),--image_dir="$$IMAGES") \
	$(if $(URLS),--url_list="$$URLS") \
	$(if $(SPECIES),--species="$$SPECIES") \
	$(if $(CONTACT),--contact="$$CONTACT") \
	$(if $(ARCHITECTURE),--architecture="$$ARCHITECTURE") \
	$(if $(WEIGHTS),--weights="$$WEIGHTS") \
	$(if $(DECISIONS),--decisions="$$DECISIONS") \
	$(if $(LEDGER),--earlier_ledger="$$LEDGER") $(ARGS)

.PHONY: help
help:  ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {line = sprintf("  make %-21s", $$1); count = split($$2, words, " "); \
	for (i = 1; i <= count; i++) {if (length(line " " words[i]) > 79) {print line; line = sprintf("%28s", "")} line = line " " words[i]} \
	print line}' Makefile
	@echo
	@echo "  with: SOURCE=inaturalist|gbif|commons|imagenet (several with commas)"
	@echo "        SPECIES=species.yaml"
	@echo "        CONTACT=e-mail  IMAGES=folder or gs://…  URLS=file"
	@echo "        ARCHITECTURE=mobilenet_1.0_128"
	@echo "        WEIGHTS=file  DECISIONS=file of curation.html  LEDGER=runs/…/ledger"
	@echo "        RUNNER=docker  HOST=http://…  UPLOAD_TO=s3://…  REGISTRY=host/path"
	@echo "        CUDA=1|0  BUILD_OPTIONS='options of docker build'"
	@echo "        RUN=runs/…  MODEL=folder or gs://…  PORT=6006"
	@echo "        ARGS='any other option of pipeline.py run, compile or submit'"

RENEW := renew it with: rm -rf $(VENV) && make setup
# After a command that may have failed because of the environment: 1 is also Python's own for a module that is missing.
OR_DAMAGED := || { status=$$?; test $$status -ne 1 || $(PY) docker/environment.py "$(RENEW)"; (exit $$status); }

.PHONY: setup
setup: $(VENV)/.installed  ## make the virtual environment (other targets do it by themselves)
	@$(PY) -c '' 2>/dev/null || { echo "make: the environment $(VENV) is damaged (its Python does not start: was it updated, \
	or removed?): $(RENEW)" >&2; exit 2; }

# uv installs in a fifth of pip's time; it is itself installed by pip, from a lock file with hashes.
# Bytecode of what a run imports most of is compiled here, on all cores: without it TensorFlow takes 13 s to import
# instead of 4. The rest, two thirds of it all, is compiled as it is first imported, if ever.
COMPILED := tensorflow keras numpy scipy
$(VENV)/.installed: $(LOCKS)/dev.txt $(LOCKS)/uv.txt pyproject.toml
	@python="$${PYTHON:-$(FOUND_PYTHON)}"; \
	test -n "$$python" || { echo "make: Python 3.11, 3.12 or 3.13 is needed, and none was found: \
	install it, or name it with PYTHON=…" >&2; exit 2; }; \
	echo "Installing into $(VENV) with $$("$$python" --version) (once, about a minute)"; \
	"$$python" -m venv --clear $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/uv.txt
	@UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-}}"; \
	if [ -z "$$UV_DEFAULT_INDEX" ]; then unset UV_DEFAULT_INDEX; else export UV_DEFAULT_INDEX; fi; \
	$(VENV)/bin/uv pip sync --quiet --python $(PY) --require-hashes $(LOCKS)/dev.txt && \
	$(VENV)/bin/uv pip install --quiet --python $(PY) --no-deps --no-build-isolation --editable .
	@$(PY) -m compileall -qq -j 0 -x '/tests/|_test\.py$$' $(COMPILED:%=$(VENV)/lib/python3.*/site-packages/%) || true
	@touch $@

.PHONY: run
run: setup  ## photos to a trained, measured and published model, on this machine
	@$(if $(RUNNER),$(IMAGE_TOOL) with-names) $(PY) pipeline.py run \
	$(if $(RUNNER),--runner="$$RUNNER") $(RUN_OPTIONS) $(OR_DAMAGED)

.PHONY: check-sources
check-sources: setup  ## fetch one photo from each live service, and check that its answer has the expected form
	@$(PY) -m programs.check_sources --contact="$$CONTACT"

# A worker takes whole files, in the order of tests/conftest.py. Without bytecode of the programs and of
# the tests a fifth of the time would go into compiling them, at each start.
PYTEST = PYTHONDONTWRITEBYTECODE= $(PY) -m pytest
# One worker more than there are cores, since many tests wait for a server; 2 GB of memory for each.
WORKERS = $(shell cores=$$(getconf _NPROCESSORS_ONLN || echo 2); echo $$((cores < 3 ? cores + 1 : 4)))
IN_PARALLEL = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: test
test: setup  ## all tests but those of the next lines
	@$(PYTEST) $(IN_PARALLEL) -m 'not long' $(OR_DAMAGED)

.PHONY: test-long
test-long: setup  ## what takes long: the documented commands, kills, full disks, fine-tuning, other networks
	@$(PYTEST) $(IN_PARALLEL) -m long $(OR_DAMAGED)

.PHONY: test-faults
# The second command: every other test of a property, with examples drawn anew.
FUZZED = tests/faults tests/programs/serve/test_fuzz.py tests/common/photos/test_images_fuzz.py
test-faults: setup  ## kills, full disks, hostile input: many more cases than in `make test`; 15 to 40 minutes
	@MUSHROOM_FAULTS=full $(PYTEST) $(IN_PARALLEL) -v --durations 20 $(FUZZED)
	@MUSHROOM_FAULTS=full $(PYTEST) $(IN_PARALLEL) -m hypothesis $(FUZZED:%=--ignore=%)

# Needs root, and: apt install docker.io mmdebstrap
.PHONY: test-containers
test-containers: setup  ## build the real images, run the pipeline in them, compare: several minutes
	@MUSHROOM_TEST_CONTAINERS=1 $(PY) -m pytest -v tests/containers

# MediaPipe has an environment of its own: it brings another OpenCV along. So has `datasets`, with `huggingface_hub`.
HUGGINGFACE = datasets==5.2.0,huggingface_hub==2.4.0,pillow==13.0.0
.PHONY: test-forms
test-forms: PEERS = mediapipe==1.2.3 $(HUGGINGFACE)
test-forms: peers  ## MediaPipe and Hugging Face take what we write; they are installed in build/peers first: some minutes
	@MUSHROOM_TEST_FORMS=1 $(PY) -m pytest -v tests/forms

.PHONY: test-cluster
test-cluster: setup  ## the acceptance, on the cluster of KUBECONFIG (docs/cluster.md): make test-cluster ARGS='-k sample'
	@MUSHROOM_TEST_CLUSTER=1 $(WITH_NAMES) $(PY) -m pytest -v tests/cluster $(ARGS)

# Of the pages' JavaScript and CSS, by deno.json.
DENO := DENO_NO_UPDATE_CHECK=1 $(VENV)/bin/deno

.PHONY: lint
lint: setup  ## style, types, unsafe calls, pages, Dockerfiles, shell scripts
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m bandit --quiet --configfile pyproject.toml --recursive components programs wild_mushrooms pipeline.py docker benchmarks
	@$(DENO) lint --quiet
	@$(DENO) fmt --quiet --check
	@$(PY) -m djlint --quiet components programs
	@$(VENV)/bin/hadolint docker/*.Dockerfile
	@$(VENV)/bin/shellcheck --external-sources k8s/*.sh

# Not in CI: it asks a database on the internet, whose answer changes while the code does not.
.PHONY: audit
audit: setup build/audit/.installed  ## known vulnerabilities of the locked packages, by PyPI's database, or by DATABASE=all.zip of OSV's
ifneq (,$(DATABASE))
	@$(PY) docker/audit.py --database="$$DATABASE" $(LOCKS)/*.txt
else
	@status=0; for lock in $(LOCKS)/*.txt; do \
	build/audit/bin/python -m pip_audit --disable-pip --require-hashes --progress-spinner off --requirement $$lock \
	>build/audit/found.txt 2>build/audit/said.txt && { echo "$$lock: no known vulnerability"; continue; }; \
	test -s build/audit/found.txt || { echo "make: $$lock was not audited, nor what comes after it: \
	is pypi.org reachable? (build/audit/said.txt)" >&2; exit 1; }; \
	echo "$$lock:"; cat build/audit/found.txt; status=1; done; exit $$status
endif

.PHONY: sbom
sbom: setup build/audit/.installed  ## what the images of `make images` consist of, as CycloneDX in build/sbom
	@$(IMAGE_TOOL) sbom $(CUDA_OPTION)

build/audit/.installed: $(LOCKS)/audit.txt
	@$(VENV)/bin/uv venv --clear --quiet --python $(PY) build/audit
	@$(VENV)/bin/uv pip sync --quiet --python build/audit/bin/python --require-hashes $<
	@touch $@

.PHONY: format
format: setup  ## format the code
	@$(VENV)/bin/ruff check --fix --quiet . ; $(VENV)/bin/ruff format .
	@$(DENO) fmt --quiet

.PHONY: compile
compile: setup  ## build/pipeline-cpu.yaml and build/pipeline-gpu.yaml, for a cluster
	@$(WITH_NAMES) $(PY) pipeline.py compile $(ARGS) $(OR_DAMAGED)

.PHONY: images
images: setup  ## the container images, tagged by git revision and lock files; CUDA=1 for the GPU's too
	@$(IMAGE_TOOL) build $(CUDA_OPTION) -- $(BUILD_OPTIONS)

.PHONY: push
push: setup  ## push them: make push REGISTRY=registry.example/you
	@test -n "$$REGISTRY" || { echo "make: name a registry: make push REGISTRY=host/path" >&2; exit 2; }
	@$(IMAGE_TOOL) push --registry="$$REGISTRY" $(CUDA_OPTION)

.PHONY: release
release: setup build/audit/.installed  ## build, push, and write the digests into the compiled pipelines; CUDA=0 without the GPU's
	@test -n "$$REGISTRY" || { echo "make: name a registry: make release REGISTRY=host/path" >&2; exit 2; }
	@$(IMAGE_TOOL) release --registry="$$REGISTRY" $(CUDA_OPTION) -- $(BUILD_OPTIONS)

.PHONY: submit
submit: setup  ## run on a cluster, and wait: make submit HOST=http://localhost:8080 REGISTRY=… IMAGES=~/photos
	@$(WITH_NAMES) $(PY) pipeline.py submit --wait $(if $(HOST),--host="$$HOST") \
	$(if $(filter 1,$(CUDA)),--gpu) $(if $(UPLOAD_TO),--upload_to="$$UPLOAD_TO") $(RUN_OPTIONS) $(OR_DAMAGED)

# A cluster on this machine (docs/cluster.md).
.PHONY: kind-up kind-load kind-submit kind-down minikube-up minikube-load minikube-submit minikube-down
kind-up: setup  ## a kind cluster with Kubeflow Pipelines on this machine
kind-load: setup  ## load the images of `make images` into it
kind-submit: setup  ## run the pipeline there, and wait: make kind-submit IMAGES=~/photos
kind-down: setup  ## remove it
minikube-up: setup  ## the same with minikube
minikube-load: setup  ## load the images into it
minikube-submit: setup  ## run the pipeline there, and wait
minikube-down: setup  ## remove it
kind-up kind-load kind-down minikube-up minikube-load minikube-down:
	@k8s/$(firstword $(subst -, ,$@)).sh $(lastword $(subst -, ,$@))
kind-submit minikube-submit:
	@k8s/$(firstword $(subst -, ,$@)).sh submit $(RUN_OPTIONS)

# After a command that people end with Ctrl-C: that is no error. The shell waits for it, with `trap : INT`
# before it, and make ends by the signal.
UNLESS_INTERRUPTED := $(OR_DAMAGED) || { status=$$?; test $$status -eq 130 || exit $$status; }

.PHONY: tensorboard
tensorboard: setup  ## the training curves of the last run, at http://localhost:6006 (LOGS=others)
	@logs=$(LOGS_FOLDER); test -d "$$logs" || \
	{ echo "make: no logs at $$logs: make run" >&2; exit 2; }; \
	trap : INT; TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=0 \
	$(PY) -m tensorboard.main --logdir="$$logs" --host 127.0.0.1 --port="$${PORT:-6006}" $(UNLESS_INTERRUPTED)

.PHONY: verify
verify: setup  ## check that a finished run is complete, unmodified and consistent: make verify RUN=runs/…
	@$(PY) -m programs.verify -- $(RUN_FOLDER) $(OR_DAMAGED)

.PHONY: review
review: setup  ## the review page of the last run, which saves what you decide: make review RUN=runs/…
	@trap : INT; $(PY) -m programs.review --port="$${PORT:-0}" $(ARGS) -- $(RUN_FOLDER) $(UNLESS_INTERRUPTED)

.PHONY: serve
serve: setup  ## a page to try the model of the last run, at http://localhost:8080 (PORT=8081: there)
	@run=$(RUN_FOLDER); model=$(MODEL_FOLDER); metrics=(); \
	if test "$$model" = "$$run/model"; then \
	test -d "$$model" || { echo "make: no model at $$model: make run, or name one: make serve MODEL=folder" >&2; exit 2; }; \
	test ! -f "$$run/metrics.json" || metrics=(--metrics="$$run/metrics.json"); fi; \
	trap : INT; $(PY) -m programs.serve --model_dir="$$model" --port="$${PORT:-8080}" "$${metrics[@]}" $(ARGS) \
	$(UNLESS_INTERRUPTED)

.PHONY: learning-curve
learning-curve: setup  ## accuracy by number of training photos, of the last run's photos or of IMAGES
	@run=$(RUN_FOLDER); test -n "$$IMAGES" || test -d "$$run/training" || { echo "make: no run at $$run: make run, or name \
	a folder of photos: make learning-curve IMAGES=folder" >&2; exit 2; }; \
	$(PY) -m programs.learning_curve --image_dir="$${IMAGES:-$$run/training}" \
	$(if $(ARCHITECTURE),--architecture="$$ARCHITECTURE") $(if $(WEIGHTS),--weights="$$WEIGHTS") $(ARGS) $(OR_DAMAGED)

.PHONY: wheel
wheel: setup  ## build/wheel/*.whl, to install the command `mushrooms` elsewhere
	@$(VENV)/bin/uv build --quiet --no-build-isolation --python $(PY) --out-dir build/wheel && ls build/wheel/*.whl

.PHONY: options
options: setup  ## docs/options.md, the reference of all options, from the code
	@$(PY) docs/options.py

.PHONY: figures
figures: setup  ## the pictures of docs/tutorial.md: of RUN's pages (a run on the sample); IMAGES=folder: charts too
	@$(PY) docs/figures/make.py $(if $(IMAGES),--images="$$IMAGES") --run $(RUN_FOLDER)

.PHONY: bench
bench: setup  ## speed compared with the usual tools: make bench IMAGES=folder ARGS='--only clean,label'
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.speed "$$IMAGES" $(if $(MODEL),--model="$$MODEL") $(ARGS)

.PHONY: bench-growth
bench-growth: setup  ## time and memory for 1,000, 10,000 and 100,000 photos
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-growth IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.speed.growth "$$IMAGES" $(ARGS)

.PHONY: bench-million
bench-million: setup  ## curate's selection of a million made-up photos: half an hour, and 20 GB of disk meanwhile
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-million IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.million "$$IMAGES" $(ARGS)

.PHONY: bench-scale
bench-scale: setup  ## a simulation of a run on N nodes, checked against runs of up to 100,000 photos here: an hour
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-scale IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.scale "$$IMAGES" $(ARGS)

.PHONY: bench-needs
bench-needs: setup  ## memory and disk that each step needs, for 20, 200 and 700 photos
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-needs IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.needs "$$IMAGES" $(ARGS)

.PHONY: bench-accuracy
bench-accuracy: setup  ## accuracy on your photos, compared with Keras and scikit-learn
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-accuracy IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.accuracy "$$IMAGES" $(ARGS)

.PHONY: bench-backbones
bench-backbones: setup  ## accuracy and speed of the networks, compared: ARGS='--architectures a,b --views 1,2'
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-backbones IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.backbones "$$IMAGES" $(ARGS)

.PHONY: bench-unknown
bench-unknown: setup  ## photos of something else recognised as such, compared with the usual scores
	@test -n "$$IMAGES" && test -n "$$REPORTED" || { echo "make: name two folders of photos: \
	make bench-unknown IMAGES=flowers REPORTED=fungi" >&2; exit 2; }
	@$(PY) -m benchmarks.unknown "$$IMAGES" "$$REPORTED" $(ARGS)

.PHONY: bench-drift
bench-drift: setup  ## false and true alarms of label --watch, on batches of the demo photos and of other things
	@test -n "$$IMAGES" && test -n "$$REPORTED" || { echo "make: name two folders of photos, of different things: \
	make bench-drift IMAGES=flowers REPORTED=fungi" >&2; exit 2; }
	@$(PY) -m benchmarks.drift "$$IMAGES" "$$REPORTED" $(ARGS)

.PHONY: bench-label-next
bench-label-next: setup  ## photos that `mushrooms select` chooses to be labelled, compared with random ones
	@test -n "$$IMAGES" && test -n "$$REPORTED" || { echo "make: name two folders of photos, of different things: \
	make bench-label-next IMAGES=flowers REPORTED=fungi" >&2; exit 2; }
	@$(PY) -m benchmarks.label_next "$$IMAGES" "$$REPORTED" $(ARGS)

.PHONY: bench-temperature
bench-temperature: setup  ## log loss with and without temperature, on photos it was not fitted on
	@test -n "$$IMAGES" || { echo "make: name folders of photos: \
	make bench-temperature IMAGES='flowers fungi'" >&2; exit 2; }
	@set -f; $(PY) -m benchmarks.temperature $$IMAGES $$ARGS

.PHONY: bench-cross-validation
bench-cross-validation: setup  ## how often the interval of cross-validation holds the truth, 2,000 simulated sets
	@$(PY) -m benchmarks.cross_validation $$ARGS

.PHONY: bench-dangers
bench-dangers: setup  ## dangerous classes taken for edible ones, and whether the answer names them
	@test -n "$$IMAGES" || { echo "make: name a folder of photos with a species.yaml: \
	make bench-dangers IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.dangers "$$IMAGES"

.PHONY: bench-review
bench-review: setup  ## the review page of 2,000 photos in a browser: its size, first paint, what a key takes
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-review IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.review_page "$$IMAGES" $(ARGS)

.PHONY: bench-serve
bench-serve: setup  ## the page's service under 16 clients for 30 s
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-serve IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.serve_load $(MODEL_FOLDER) --images="$$IMAGES"

.PHONY: bench-forms
bench-forms: PEERS = mediapipe==1.2.3 tensorflow-cpu==2.15.1
bench-forms: peers  ## the answers of other programs that take a form of the model, compared with ours on 100 photos
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-forms IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.forms "$$IMAGES" $(ARGS)

.PHONY: bench-label-bucket
bench-label-bucket: setup  ## a bucket of 5,000 photos labelled, killed twice and resumed; the same from a folder
	@test -n "$$IMAGES" || { echo "make: name a folder of photos: make bench-label-bucket IMAGES=folder" >&2; exit 2; }
	@$(PY) -m benchmarks.label_bucket $(MODEL_FOLDER) --images="$$IMAGES" $(ARGS)

.PHONY: bench-download
bench-download: setup  ## speed of fetching, compared with img2dataset: make bench-download IMAGES=folder
	@test -x build/peers/img2dataset/bin/python || { \
	$(VENV)/bin/uv venv --quiet --python $(PY) build/peers/img2dataset && \
	UV_COMPILE_BYTECODE=1 $(VENV)/bin/uv pip install --quiet --python build/peers/img2dataset/bin/python img2dataset==1.47.0; }
	@$(PY) -m benchmarks.download --peer build/peers/img2dataset/bin/python \
	$(if $(IMAGES),--images="$$IMAGES")

.PHONY: bench-cleaning
bench-cleaning: peers  ## planted faults found, compared with CleanVision, imagededup and cleanlab
	@test -n "$$IMAGES" && test -n "$$REPORTED" || { echo "make: name two folders of photos: \
	make bench-cleaning IMAGES=flowers REPORTED=fungi" >&2; exit 2; }
	@$(PY) -m benchmarks.cleaning "$$IMAGES" "$$REPORTED" $(ARGS)

# Each peer in an environment of its own, with what stands behind a comma; imagededup brings PyTorch along, 5 GB: `make bench` uses
# PEERS='cleanvision==0.3.7 webdataset==1.0.2' only.
PEERS ?= cleanvision==0.3.7 webdataset==1.0.2 imagededup==0.3.3 cleanlab==2.9.0
.PHONY: peers
peers: setup
	@for package in $(PEERS); do \
	place=build/peers/$${package%%==*}; \
	test -e $$place/.installed || { $(VENV)/bin/uv venv --clear --quiet --python $(PY) $$place && \
	UV_COMPILE_BYTECODE=1 $(VENV)/bin/uv pip install --quiet --python $$place/bin/python $${package//,/ } && \
	touch $$place/.installed; } || exit 1; done

# The images' locks follow dev.txt, so that a laptop and the images compute with the same versions.
# In an image kfp only executes components, and that needs none of its dependencies.
.PHONY: lock
lock: setup  ## bring the lock files up to date with pyproject.toml
	@export UV_CUSTOM_COMPILE_COMMAND="make lock"; \
	compile="$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes"; \
	image="$$compile --constraints $(LOCKS)/dev.txt"; \
	$$compile pyproject.toml --extra train --extra onnx --extra pipeline --extra serve --extra dev -o $(LOCKS)/dev.txt && \
	grep '^uv==' $(LOCKS)/dev.txt | cut -d' ' -f1 | $$compile - -o $(LOCKS)/uv.txt && \
	grep '^kfp==' $(LOCKS)/dev.txt | cut -d' ' -f1 | $$compile - --no-deps -o $(LOCKS)/kfp.txt && \
	printf 'pip-audit>=2.10,<3\ncyclonedx-bom>=7.5,<8\n' | $$compile - -o $(LOCKS)/audit.txt && \
	$$image pyproject.toml --extra serve -o $(LOCKS)/data.txt && \
	$$image pyproject.toml --extra train --extra onnx -o $(LOCKS)/train.txt && \
	$$image pyproject.toml --extra train-cuda --extra onnx -o $(LOCKS)/train-cuda.txt && \
	$$image --group tensorboard -o $(LOCKS)/tensorboard.txt

.PHONY: clean
clean:  ## remove the environment and what was built; runs/ stays
	@rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache *.egg-info
