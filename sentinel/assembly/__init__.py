"""Connects things: the only place where parts meet."""

from sentinel.assembly.core import MODEL_NAME, configuration, context_decoder, detectors, online_model, pipeline, prepare, promote
from sentinel.assembly.distributed import bus, check_topics, gateway, rejected_topic, topics, worker
from sentinel.assembly.embedded import dead_letters, redrive, serve
from sentinel.assembly.formats import is_mapping_file, mapping_files, source, sources, suggest_mapping, try_source
from sentinel.assembly.house_rules import house_rules, last_verdicts, preview_rules, rule_file
from sentinel.assembly.offline import backfill, replay
from sentinel.assembly.outputs import alert_formats, outbox, outlets, outputs, redrive_outputs, sample_alert, try_output
from sentinel.assembly.sigma import SHIPPED as SHIPPED_RULES
from sentinel.assembly.sigma import history_query, search_history, sigma_rules
from sentinel.assembly.storage import Store, store_writer

__all__ = [
    "MODEL_NAME",
    "SHIPPED_RULES",
    "Store",
    "alert_formats",
    "backfill",
    "bus",
    "check_topics",
    "configuration",
    "context_decoder",
    "dead_letters",
    "detectors",
    "gateway",
    "history_query",
    "house_rules",
    "is_mapping_file",
    "last_verdicts",
    "mapping_files",
    "online_model",
    "outbox",
    "outlets",
    "outputs",
    "pipeline",
    "prepare",
    "preview_rules",
    "promote",
    "redrive",
    "redrive_outputs",
    "rejected_topic",
    "replay",
    "rule_file",
    "sample_alert",
    "search_history",
    "serve",
    "sigma_rules",
    "source",
    "sources",
    "store_writer",
    "suggest_mapping",
    "topics",
    "try_output",
    "try_source",
    "worker",
]
