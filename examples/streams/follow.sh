#!/usr/bin/env bash
# Follows a log with curl: BUNSEN_URL=… BUNSEN_TOKEN=… ./follow.sh root/digits/experiments/1
# Prints every line once, whatever is cut meanwhile, and ends with 0 only when the log is whole.
next=0
while :; do
    while IFS= read -r line; do # what was cut within a line is not read: it comes again
        printf '%s\n' "${line#* }"
        next=$((${line%% *} + 1))
    done < <(
        exec curl --silent --show-error --no-buffer --fail --keepalive-time 30 \
            --retry 60 --retry-delay 1 --retry-connrefused \
            --header "Authorization: token $BUNSEN_TOKEN" \
            "$BUNSEN_URL/api/v1/$1/logs?follow=true&seqs=true&offset=$next"
    )
    wait $!
    case $? in
        0) echo "whole: $next lines" >&2; exit 0 ;;
        22) exit 1 ;; # refused: curl said why
        *) sleep 1 ;; # cut
    esac
done
