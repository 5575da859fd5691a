-- wrk: client_credentials with the application's secret in the body.
dofile(os.getenv("BENCHES") .. "/requests.lua")

function init()
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    wrk.body = "grant_type=client_credentials&scope=read%3Aorders&client_id=" .. os.getenv("CLIENT")
        .. "&client_secret=" .. os.getenv("SECRET") .. "&audience=" .. os.getenv("AUDIENCE")
end
