"""The calls of the documented API, as they are printed there."""

GET_EXPERIMENT = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}' \\
  --header 'Authorization: token {{token}}'
"""

UPDATE_EXPERIMENT = """
curl --request PATCH \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}/' \\
  --header 'Authorization: token {{token}}' \\
  --header 'Content-Type: application/json' \\
  --data '{
  "description": "new description"
}'
"""

DELETE_EXPERIMENT = """
curl --request DELETE \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}' \\
  --header 'Authorization: token {{token}}'
"""

RESTART_EXPERIMENT = """
curl --request POST \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}/restart' \\
  --header 'Authorization: token {{token}}'
"""

RESUME_EXPERIMENT = """
curl --request POST \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}/resume' \\
  --header 'Authorization: token {{token}}'
"""

COPY_EXPERIMENT = RESUME_EXPERIMENT.replace("/resume'", "/copy'")  # the document's own curl is a misprint

STOP_EXPERIMENT = """
curl --request POST \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}/stop' \\
  --header 'Authorization: token {{token}}'
"""

GET_STATUSES = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{id}}/statuses' \\
  --header 'Authorization: token {{token}}'
"""

GET_METRICS = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}/metrics' \\
  --header 'Authorization: token {{token}}'
"""

CREATE_METRIC = """
curl --request POST \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}/metrics' \\
  --header 'Authorization: token {{token}}' \\
  --header 'Content-Type: application/json' \\
  --data '{
    "values": {"precision": 0.9, "accuracy": 0.85}
}'
"""

LIST_JOBS = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}/jobs' \\
  --header 'Authorization: token {{token}}'
"""

GET_LOGS = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}/logs' \\
  --header 'Authorization: token {{token}}'
"""

# Printed for "start" is the call above that creates a metric; for "stop", this one.
START_TENSORBOARD = """
curl --request POST \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}/tensorboard/start' \\
  --header 'Authorization: token {{token}}' \\
  --header 'Content-Type: application/json' \\
  --data '{
    "values": {"precision": 0.9, "accuracy": 0.85}
}'
"""  # noqa: E501

STOP_TENSORBOARD = START_TENSORBOARD.replace("/tensorboard/start'", "/tensorboard/stop'")

DOWNLOAD_OUTPUTS = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}/outputs' \\
  --header 'Authorization: token {{token}}'
"""

GET_JOB = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}//jobs/{{job_id}}' \\
  --header 'Authorization: token {{token}}'
"""  # noqa: E501

GET_JOB_STATUSES = """
curl --request GET \\
  --url 'http://{{base_api_url}}/api/v1/{{username}}/{{project}}//experiments/{{experiment_id}}//jobs/{{job_id}}/statuses' \\
  --header 'Authorization: token {{token}}'
"""  # noqa: E501

BOOKMARK_EXPERIMENT = """
curl -X POST \\
  http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{experiment_id}}/bookmark \\
  -H 'Authorization: token {{token}}' \\
  -H 'Cache-Control: no-cache' \\
  -H 'Content-Type: application/json' \\

"""

UNBOOKMARK_EXPERIMENT = """
curl -X DELETE \\
  http://{{base_api_url}}/api/v1/{{username}}/{{project}}/experiments/{{experiment_id}}/unbookmark \\
  -H 'Authorization: token {{token}}' \\
  -H 'Cache-Control: no-cache' \\
  -H 'Content-Type: application/json' \\

"""
