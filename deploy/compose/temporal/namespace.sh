#!/bin/sh
# Makes the namespace of Winnow's workflows, if it is absent.
set -eu

temporal operator cluster health
temporal operator namespace describe -n winnow ||
	temporal operator namespace create -n winnow --retention 7d
